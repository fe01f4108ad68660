//! A schema is indexed at once, bound when asked, and found by the tokens that people write.

use purlin_model::PropertyValue;
use purlin_schema::{PackageSchema, Type, TypeDefinition, pulumi_package};

const SHOP: &str = r##"{
  "name": "shop",
  "version": "2.1.0",
  "pluginDownloadURL": "https://example.com",
  "config": {"variables": {"region": {"type": "string"}, "token": {"type": "string", "secret": true}}, "defaults": ["token"]},
  "provider": {"inputProperties": {"region": {"type": "string"}}, "requiredInputs": ["region"]},
  "parameterization": {"baseProvider": {"name": "base", "version": "1.0.0"}, "parameter": "aGk="},
  "types": {
    "shop:index/Shelf:Shelf": {
      "type": "object",
      "properties": {
        "boards": {"type": "array", "items": {"$ref": "#/types/shop:index%2FShelf:Shelf"}},
        "wood": {"$ref": "#/types/shop:index:Wood", "replaceOnChanges": true}
      },
      "required": ["wood"]
    },
    "shop:index:Wood": {"type": "string", "enum": [{"name": "Oak", "value": "oak"}, {"value": "pine"}]}
  },
  "resources": {
    "shop:furniture/cupBoard:CupBoard": {
      "inputProperties": {
        "kind": {"type": "string", "const": "cup"},
        "shelves": {"type": "object", "additionalProperties": {"$ref": "#/types/shop:index%2FShelf:Shelf"}},
        "doors": {"type": "integer", "default": 2, "defaultInfo": {"environment": ["DOORS"]}},
        "lock": {"oneOf": [{"type": "string"}, {"$ref": "pulumi.json#/Asset"}], "secret": true, "willReplaceOnChanges": true},
        "elsewhere": {"$ref": "/wood/v1.0.0/schema.json#/types/wood:index:Plank"}
      },
      "requiredInputs": ["doors"],
      "properties": {
        "shelves": {"type": "object", "additionalProperties": {"$ref": "#/types/shop:index%2FShelf:Shelf"}},
        "tags": {"type": "array", "items": {"type": "string"}, "replaceOnChanges": true},
        "lock": {"type": "string", "secret": true}
      },
      "required": ["lock"],
      "aliases": [{"type": "shop:old:CupBoard"}],
      "methods": {"open": "shop:furniture/cupBoard:CupBoard/open"},
      "deprecationMessage": "use Wardrobe"
    },
    "shop:index:Room": {"isComponent": true}
  },
  "functions": {
    "shop:index:price": {
      "inputs": {"properties": {"of": {"type": "string"}}, "required": ["of"]},
      "outputs": {"properties": {"cents": {"type": "number"}}, "required": ["cents"]}
    },
    "shop:index:total": {"multiArgumentInputs": ["a", "b"], "returnType": {"type": "number"}},
    "shop:broken:fn": {"inputs": 3}
  }
}"##;

fn shop() -> PackageSchema {
    PackageSchema::parse(SHOP).expect("a schema")
}

#[test]
fn tokens_are_found_as_people_write_them() {
    let shop = shop();
    let canonical = Some("shop:furniture/cupBoard:CupBoard".to_owned());
    for token in [
        "shop:furniture/cupBoard:CupBoard",
        "shop:furniture:CupBoard",
        "SHOP:furniture:cupboard",
        "shop:Furniture/Cupboard:CupBoard",
    ] {
        assert_eq!(shop.resolve_resource(token), canonical, "{token}");
    }
    assert_eq!(shop.resolve_resource("shop:room"), Some("shop:index:Room".into()));
    assert_eq!(shop.resolve_resource("pulumi:providers:shop"), Some("pulumi:providers:shop".into()));
    assert_eq!(shop.resolve_function("shop:Price"), Some("shop:index:price".into()));
    for token in ["shop:CupBoard", "shop", "pulumi:providers:other", "a:b:c:d"] {
        assert_eq!(shop.resolve_resource(token), None, "{token}");
    }
}

#[test]
fn a_resource_is_bound_with_all_it_says() {
    let shop = shop();
    let board = shop.resource("shop:furniture/cupBoard:CupBoard").unwrap().unwrap();
    let inputs = &board.inputs.properties;
    assert_eq!(inputs["kind"].constant, Some("cup".into()));
    assert_eq!(inputs["doors"].default.value, Some(PropertyValue::Number(2.0)));
    assert_eq!(inputs["doors"].default.environment, ["DOORS"]);
    assert!(inputs["doors"].required && !inputs["kind"].required);
    assert_eq!(inputs["lock"].ty, Type::Union(vec![Type::String, Type::Asset]));
    assert!(inputs["lock"].secret && inputs["lock"].will_replace_on_changes);
    assert_eq!(inputs["elsewhere"].ty, Type::Any);
    assert_eq!(inputs["shelves"].ty, Type::Map(Box::new(Type::Named("shop:index/Shelf:Shelf".into()))));
    assert_eq!(board.outputs.secret_names().collect::<Vec<_>>(), ["lock"]);
    assert_eq!(board.inputs.constants().collect::<Vec<_>>(), [("kind", &PropertyValue::from("cup"))]);
    assert_eq!(board.aliases[0].ty.as_deref(), Some("shop:old:CupBoard"));
    assert_eq!(board.methods["open"], "shop:furniture/cupBoard:CupBoard/open");
    assert_eq!(board.deprecation, "use Wardrobe");
    assert!(shop.resource("shop:index:Room").unwrap().unwrap().is_component);
    assert!(shop.resource("shop:index:None").is_none());
}

#[test]
fn replacing_paths_go_through_nested_and_recursive_types() {
    let shop = shop();
    let board = shop.resource("shop:furniture/cupBoard:CupBoard").unwrap().unwrap();
    assert_eq!(shop.replace_on_changes(&board), ["shelves.*.wood", "tags[*]"]);
}

#[test]
fn types_functions_config_and_provider_are_bound() {
    let shop = shop();
    let TypeDefinition::Enum(wood) = &*shop.definition("shop:index:Wood").unwrap().unwrap() else {
        panic!("an enumeration")
    };
    assert_eq!(wood.ty, Type::String);
    assert_eq!(wood.values[0].value, "oak".into());
    assert_eq!(wood.values[1].name, "");

    let price = shop.function("shop:index:price").unwrap().unwrap();
    assert_eq!(price.outputs.as_ref().unwrap().properties["cents"].ty, Type::Number);
    assert!(price.inputs.properties["of"].required);
    let total = shop.function("shop:index:total").unwrap().unwrap();
    assert_eq!((total.outputs.is_none(), &total.return_type), (true, &Some(Type::Number)));
    assert_eq!(total.multi_argument_inputs, ["a", "b"]);

    let config = shop.config().unwrap();
    assert!(config.properties["region"].required && !config.properties["token"].required);
    let provider = shop.provider().unwrap();
    assert!(provider.is_provider && provider.inputs.properties["region"].required);
    assert_eq!(provider.token, "pulumi:providers:shop");
    assert_eq!(shop.parameterization().unwrap().parameter, b"hi");
    assert_eq!((shop.name(), shop.version()), ("shop", "2.1.0"));
}

#[test]
fn a_damaged_piece_is_named_when_it_is_asked_for() {
    let error = shop().function("shop:broken:fn").unwrap().unwrap_err();
    assert_eq!(error.code, "schema-invalid");
    assert!(error.message.starts_with("the schema of shop:broken:fn can't be read: "), "{error}");
    for text in ["", "[]", "{}", "{\"name\": \"x\", \"resources\": 3}"] {
        assert_eq!(PackageSchema::parse(text).unwrap_err().code, "schema-invalid", "{text}");
    }
}

#[test]
fn the_built_in_package_needs_no_plugin() {
    let pulumi = pulumi_package();
    assert_eq!(
        pulumi.resolve_resource("pulumi:StackReference"),
        None,
        "its module is `pulumi`, and there is no second spelling"
    );
    let reference = pulumi.resource("pulumi:pulumi:StackReference").unwrap().unwrap();
    assert_eq!(reference.outputs.properties["outputs"].ty, Type::Map(Box::new(Type::Any)));
    assert_eq!(pulumi.resolve_resource("pulumi:Stash"), Some("pulumi:index:Stash".into()));
}
