// A shape of a parameterized package, registered as generated SDKs do it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

type shape struct {
	pulumi.CustomResourceState

	Kind pulumi.StringOutput `pulumi:"kind"`
}

type kindOf struct {
	Kind string `pulumi:"kind"`
}

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		registered, err := ctx.RegisterPackage(&pulumirpc.RegisterPackageRequest{
			Name:    "shapecloud",
			Version: "1.0.0",
			Parameterization: &pulumirpc.Parameterization{
				Name: "circles", Version: "2.1.0", Value: []byte("round"),
			},
		})
		if err != nil {
			return err
		}
		value := config.New(ctx, "").Get("value")
		if value == "" {
			value = "small"
		}
		var first shape
		inputs := pulumi.Map{"value": pulumi.String(value)}
		if err := ctx.RegisterPackageResource("circles:index:Shape", "first", inputs, &first, registered.Ref); err != nil {
			return err
		}
		var asked kindOf
		if err := ctx.InvokePackage("circles:index:kindOf", &struct{}{}, &asked, registered.Ref); err != nil {
			return err
		}
		ctx.Export("kind", pulumi.String(asked.Kind))
		return nil
	})
}
