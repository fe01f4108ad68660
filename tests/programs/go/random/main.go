// Values of the random package through its official SDK.
package main

import (
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		text, err := random.NewRandomString(ctx, "text", &random.RandomStringArgs{
			Length:  pulumi.Int(12),
			Special: pulumi.Bool(false),
		})
		if err != nil {
			return err
		}
		password, err := random.NewRandomPassword(ctx, "password", &random.RandomPasswordArgs{
			Length:  pulumi.Int(20),
			Keepers: pulumi.StringMap{"text": text.Result},
		})
		if err != nil {
			return err
		}
		number, err := random.NewRandomInteger(ctx, "number", &random.RandomIntegerArgs{
			Min: pulumi.Int(5),
			Max: pulumi.Int(9),
		})
		if err != nil {
			return err
		}
		ctx.Export("text", text.Result)
		ctx.Export("password", password.Result)
		ctx.Export("number", number.Result)
		return nil
	})
}
