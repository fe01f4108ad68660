package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumiprovider "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// child is an Object as the component sees it.
type child struct {
	pulumi.CustomResourceState

	Name         pulumi.StringOutput `pulumi:"name"`
	SecretOutput pulumi.StringOutput `pulumi:"secretOutput"`
}

// group is the remote component: a number of Objects under one parent.
type group struct {
	pulumi.ResourceState

	Names      pulumi.StringArrayOutput `pulumi:"names"`
	SecretJoin pulumi.StringOutput      `pulumi:"secretJoin"`
}

// module lets the SDK turn references to this package's resources, such as
// the receiver of a method, back into objects.
type module struct{}

func (module) Version() semver.Version { return semver.MustParse(Version) }

func (module) Construct(ctx *pulumi.Context, name, typ, urn string) (pulumi.Resource, error) {
	switch typ {
	case groupType:
		g := &group{}
		return g, ctx.RegisterResource(typ, name, nil, g, pulumi.URN_(urn))
	case objectType:
		c := &child{}
		return c, ctx.RegisterResource(typ, name, nil, c, pulumi.URN_(urn))
	}
	return nil, fmt.Errorf("faultcloud has no resource type %q", typ)
}

func init() { pulumi.RegisterResourceModule("faultcloud", "index", module{}) }

func (p *provider) Construct(
	ctx context.Context, req *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	raw := fromStruct(req.GetInputs())
	urn := fmt.Sprintf("urn:pulumi:%s::%s::%s::%s", req.GetStack(), req.GetProject(), req.GetType(), req.GetName())
	r := request{method: "Construct", urn: urn, inputs: raw, preview: req.GetDryRun(), from: []props{raw}}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.ConstructResponse, error) {
		if req.GetType() != groupType {
			return nil, status.Errorf(codes.InvalidArgument, "faultcloud has no component type %q", req.GetType())
		}
		conn, err := p.engine.get()
		if err != nil {
			return nil, err
		}
		resp, err := pulumiprovider.Construct(ctx, req, conn, func(
			pctx *pulumi.Context, typ, name string, inputs pulumiprovider.ConstructInputs,
			options pulumi.ResourceOption,
		) (*pulumiprovider.ConstructResult, error) {
			given, err := inputs.Map()
			if err != nil {
				return nil, err
			}
			return makeGroup(pctx, typ, name, raw, given, options)
		})
		if err == nil {
			a.outputs = fromStruct(resp.GetState())
		}
		return resp, err
	})
}

func makeGroup(
	ctx *pulumi.Context, typ, name string, raw props, given pulumi.Map, options pulumi.ResourceOption,
) (*pulumiprovider.ConstructResult, error) {
	g := &group{}
	if err := ctx.RegisterComponentResource(typ, name, g, options); err != nil {
		return nil, err
	}
	count := 2
	if n, ok := num(raw["count"]); ok {
		count = int(n)
	}
	names, secrets := make([]any, count), make([]any, count)
	for i := range count {
		in := pulumi.Map{}
		for _, k := range []string{"value", "secretValue"} {
			if v, ok := given[k]; ok {
				in[k] = v
			}
		}
		if extra, ok := bare(raw["child"]).(map[string]any); ok {
			for k, v := range extra {
				in[k] = pulumi.Any(plain(v))
			}
		}
		if prefix := str(raw["prefix"]); prefix != "" {
			in["name"] = pulumi.String(fmt.Sprintf("%s-%d", prefix, i))
		}
		c := &child{}
		err := ctx.RegisterResource(objectType, fmt.Sprintf("%s-%d", name, i), in, c,
			pulumi.Parent(g), pulumi.Version(Version))
		if err != nil {
			return nil, err
		}
		names[i], secrets[i] = c.Name, c.SecretOutput
	}
	texts := func(all []any) []string {
		out := make([]string, len(all))
		for i, v := range all {
			out[i], _ = v.(string)
		}
		return out
	}
	g.Names = pulumi.All(names...).ApplyT(texts).(pulumi.StringArrayOutput)
	g.SecretJoin = pulumi.ToSecret(pulumi.All(secrets...).ApplyT(func(all []any) string {
		return strings.Join(texts(all), ",")
	})).(pulumi.StringOutput)
	err := ctx.RegisterResourceOutputs(g, pulumi.Map{"names": g.Names, "secretJoin": g.SecretJoin})
	if err != nil {
		return nil, err
	}
	return pulumiprovider.NewConstructResult(g)
}

type describeArgs struct {
	Prefix string `pulumi:"prefix"`
}

type describeResult struct {
	Description pulumi.StringOutput `pulumi:"description"`
	Count       pulumi.IntOutput    `pulumi:"count"`
}

func (p *provider) Call(ctx context.Context, req *pulumirpc.CallRequest) (*pulumirpc.CallResponse, error) {
	r := request{method: "Call", token: req.GetTok(), inputs: fromStruct(req.GetArgs()), preview: req.GetDryRun()}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.CallResponse, error) {
		if r.token != describeTok {
			return nil, status.Errorf(codes.InvalidArgument, "faultcloud has no method %q", r.token)
		}
		conn, err := p.engine.get()
		if err != nil {
			return nil, err
		}
		resp, err := pulumiprovider.Call(ctx, req, conn, func(
			_ *pulumi.Context, _ string, args pulumiprovider.CallArgs,
		) (*pulumiprovider.CallResult, error) {
			var in describeArgs
			self, err := args.CopyTo(&in)
			if err != nil {
				return nil, err
			}
			g, ok := self.(*group)
			if !ok {
				return nil, fmt.Errorf("describe needs a Group, not %T", self)
			}
			return pulumiprovider.NewCallResult(&describeResult{
				Description: g.Names.ApplyT(func(names []string) string {
					return in.Prefix + strings.Join(names, " ")
				}).(pulumi.StringOutput),
				Count: g.Names.ApplyT(func(names []string) int { return len(names) }).(pulumi.IntOutput),
			})
		})
		if err == nil {
			a.outputs = fromStruct(resp.GetReturn())
		}
		return resp, err
	})
}
