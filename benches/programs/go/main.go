// As many independent resources as config asks for, each with one property of
// 300 bytes.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

type thing struct{ pulumi.CustomResourceState }

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		settings := config.New(ctx, "")
		count, provider := settings.RequireInt("count"), settings.Require("provider")
		for number := range count {
			name, payload := fmt.Sprintf("thing-%d", number), pulumi.String(fmt.Sprintf("%0300d", number))
			token, inputs := "faultcloud:index:Object", pulumi.Map{"name": pulumi.String(name), "value": payload}
			if provider == "random" {
				token = "random:index/randomString:RandomString"
				inputs = pulumi.Map{"length": pulumi.Int(8), "keepers": pulumi.Map{"payload": payload}}
			}
			if err := ctx.RegisterResource(token, name, inputs, &thing{}); err != nil {
				return err
			}
		}
		return nil
	})
}
