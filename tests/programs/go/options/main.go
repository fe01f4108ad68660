// Options of resources as the Go SDK sends them: what is deleted first, what replaces, what is
// ignored, which provider serves, what is read.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

type thing struct {
	pulumi.CustomResourceState

	Arn pulumi.StringOutput `pulumi:"arn"`
}

type box struct{ pulumi.ResourceState }

type cloud struct{ pulumi.ProviderResourceState }

type echo struct {
	Value string `pulumi:"value"`
}

func newThing(ctx *pulumi.Context, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) (*thing, error) {
	made := &thing{}
	inputs["name"] = pulumi.String(name)
	return made, ctx.RegisterResource("faultcloud:index:Object", name, inputs, made, opts...)
}

func program(ctx *pulumi.Context) error {
	word := pulumi.String(config.New(ctx, "").Require("word"))
	var explicit cloud
	if err := ctx.RegisterResource("pulumi:providers:faultcloud", "explicit", pulumi.Map{}, &explicit); err != nil {
		return err
	}
	// Deleted first, and with it what was made from it.
	root, err := newThing(ctx, "root", pulumi.Map{"replaceOn": word}, pulumi.DeleteBeforeReplace(true))
	if err != nil {
		return err
	}
	if _, err := newThing(ctx, "leaf", pulumi.Map{"replaceOn": root.Arn}); err != nil {
		return err
	}
	// Replaced because the program says so, created first.
	if _, err := newThing(ctx, "picky", pulumi.Map{"value": word, "tags": pulumi.StringMap{"word": word}},
		pulumi.ReplaceOnChanges([]string{"value"}), pulumi.IgnoreChanges([]string{"tags"})); err != nil {
		return err
	}
	// Served by the map of their parent, and by their parent's provider.
	var parent box
	if err := ctx.RegisterComponentResource("options:index:Box", "box", &parent, pulumi.ProviderMap(map[string]pulumi.ProviderResource{"faultcloud": &explicit})); err != nil {
		return err
	}
	child, err := newThing(ctx, "child", pulumi.Map{}, pulumi.Parent(&parent))
	if err != nil {
		return err
	}
	if _, err := newThing(ctx, "grandchild", pulumi.Map{}, pulumi.Parent(child)); err != nil {
		return err
	}
	var answer echo
	if err := ctx.Invoke("faultcloud:index:echo", map[string]any{"value": "asked"}, &answer, pulumi.Parent(child)); err != nil {
		return err
	}
	ctx.Export("echo", pulumi.String(answer.Value))
	if id := config.New(ctx, "").Get("read"); id != "" {
		var read thing
		if err := ctx.ReadResource("faultcloud:index:Object", "read", pulumi.ID(id), nil, &read, pulumi.Provider(&explicit)); err != nil {
			return err
		}
		ctx.Export("read", read.Arn)
	}
	return nil
}

func main() { pulumi.Run(program) }
