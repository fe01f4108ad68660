// A tour of what programs do: config, components, outputs of outputs, secrets, dependencies and
// stack references. Each part can be left out by config.
package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// Thing is a thing in the test cloud.
type Thing struct {
	pulumi.CustomResourceState

	Name  pulumi.StringOutput `pulumi:"name"`
	Value pulumi.AnyOutput    `pulumi:"value"`
}

func newThing(ctx *pulumi.Context, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) (*Thing, error) {
	thing := &Thing{}
	return thing, ctx.RegisterResource("faultcloud:index:Object", name, inputs, thing, opts...)
}

// Shelf is a component with one thing for each word.
type Shelf struct {
	pulumi.ResourceState

	Names pulumi.StringOutput
}

func newShelf(ctx *pulumi.Context, name string, words ...string) (*Shelf, error) {
	shelf := &Shelf{}
	if err := ctx.RegisterComponentResource("tour:index:Shelf", name, shelf); err != nil {
		return nil, err
	}
	var names []any
	for _, word := range words {
		full := name + "-" + word
		inputs := pulumi.Map{"name": pulumi.String(full), "value": pulumi.String(word)}
		thing, err := newThing(ctx, full, inputs, pulumi.Parent(shelf))
		if err != nil {
			return nil, err
		}
		names = append(names, thing.Name)
	}
	shelf.Names = pulumi.All(names...).ApplyT(func(all []any) string {
		texts := make([]string, len(all))
		for i, name := range all {
			texts[i] = fmt.Sprint(name)
		}
		return strings.Join(texts, ", ")
	}).(pulumi.StringOutput)
	return shelf, ctx.RegisterResourceOutputs(shelf, pulumi.Map{"names": shelf.Names})
}

func program(ctx *pulumi.Context) error {
	conf := config.New(ctx, "")
	greeting := conf.Require("greeting")
	token := conf.RequireSecret("token")

	first, err := newThing(ctx, "first", pulumi.Map{"name": pulumi.String("first"), "value": pulumi.String(greeting)})
	if err != nil {
		return err
	}
	again := first.Value.ApplyT(func(value any) string { return fmt.Sprintf("%v again", value) })
	second, err := newThing(ctx, "second", pulumi.Map{
		"name": pulumi.String("second"), "value": again, "secretValue": token,
	})
	if err != nil {
		return err
	}
	_, err = newThing(ctx, "nested", pulumi.Map{
		"name": pulumi.String("nested"),
		"value": pulumi.Map{
			"list":   pulumi.Array{first.Name, pulumi.Map{"deep": second.Value}},
			"flag":   pulumi.Bool(true),
			"number": pulumi.Float64(1.5),
		},
	}, pulumi.DependsOn([]pulumi.Resource{second}))
	if err != nil {
		return err
	}
	shelf, err := newShelf(ctx, "shelf", "red", "green", "blue")
	if err != nil {
		return err
	}
	guarded := shelf.Names.ApplyT(func(names string) string { return strings.Split(names, ", ")[0] + "-guarded" })
	_, err = newThing(ctx, "guarded", pulumi.Map{"name": guarded},
		pulumi.Parent(shelf),
		pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String("guarded-before"), NoParent: pulumi.Bool(true)}}),
		pulumi.IgnoreChanges([]string{"value"}),
		pulumi.AdditionalSecretOutputs([]string{"arn"}),
		pulumi.DeleteBeforeReplace(true),
		pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "5m", Delete: "1h30m"}))
	if err != nil {
		return err
	}
	fmt.Printf("greeting is %s\n", greeting)
	if err := ctx.Log.Warn("this is a warning", &pulumi.LogArgs{Resource: first}); err != nil {
		return err
	}
	if name := conf.Get("reference"); name != "" {
		reference, err := pulumi.NewStackReference(ctx, name, nil)
		if err != nil {
			return err
		}
		ctx.Export("borrowed", reference.GetOutput(pulumi.String("lent")))
	}
	if conf.GetBool("fail") {
		return errors.New("the fuse was lit")
	}
	ctx.Export("first", first.Value)
	ctx.Export("token", token)
	ctx.Export("names", shelf.Names)
	return nil
}

func main() {
	pulumi.Run(program)
}
