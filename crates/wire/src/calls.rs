//! The options of each call: what is sent with it and what its answer may hold.
//!
//! The constants are what a call may carry at best. What a provider has to be spared follows from
//! its handshake: `CREATE_REQUEST.for_peer(flags).unknowns(preview)`.

/// What the engine sends to providers.
pub mod to_provider {
    use crate::options::{EncodeOptions, PeerFlags};

    const ORDINARY: EncodeOptions = EncodeOptions { keep_outputs: false, ..EncodeOptions::FULL };
    const ELIDED: EncodeOptions = EncodeOptions { elide_asset_contents: true, ..ORDINARY };

    /// `CheckConfig` and `DiffConfig`: in clear, unknowns kept. Remove `__internal` first.
    pub const CONFIG_REQUEST: EncodeOptions = EncodeOptions::PLAIN.unknowns(true);
    /// `Configure.args`: secrets, references and unknowns, whatever the handshake said; no byte
    /// strings. (A provider with unknown configuration isn't configured at all.)
    pub const CONFIGURE_REQUEST: EncodeOptions = EncodeOptions { keep_byte_strings: false, ..ORDINARY };
    /// `Check.olds` and `Check.news`, with contents of assets. Unknowns in previews.
    pub const CHECK_REQUEST: EncodeOptions = ORDINARY;
    /// All three bags of `Diff`: hashes of assets only. Unknowns in previews.
    pub const DIFF_REQUEST: EncodeOptions = ELIDED;
    /// `Create.properties`, with contents of assets. Unknowns in previews.
    pub const CREATE_REQUEST: EncodeOptions = ORDINARY;
    /// Both bags of `Read`: hashes of assets only, nothing unknown.
    pub const READ_REQUEST: EncodeOptions = ELIDED.unknowns(false);
    /// `Update.olds` and `Update.old_inputs`: hashes of assets only, nothing unknown.
    pub const UPDATE_OLDS: EncodeOptions = ELIDED.unknowns(false);
    /// `Update.news`, with contents of assets. Unknowns in previews.
    pub const UPDATE_NEWS: EncodeOptions = ORDINARY;
    /// Both bags of `Delete`: hashes of assets only, nothing unknown.
    pub const DELETE_REQUEST: EncodeOptions = ELIDED.unknowns(false);
    /// `old_views` of Read, Update and Delete: with contents of assets, nothing unknown.
    pub const OLD_VIEWS: EncodeOptions = ORDINARY.unknowns(false);
    /// `List.query`: nothing unknown.
    pub const LIST_QUERY: EncodeOptions = ORDINARY.unknowns(false);
    /// `Invoke.args`: nothing unknown.
    pub const INVOKE_ARGS: EncodeOptions = ORDINARY.unknowns(false);
    /// `Construct.inputs`: everything that the provider takes.
    pub const CONSTRUCT_INPUTS: EncodeOptions = EncodeOptions::FULL;
    /// `Construct.replacement_trigger`: not subject to the handshake, and no byte strings. Unknowns
    /// in previews.
    pub const CONSTRUCT_REPLACEMENT_TRIGGER: EncodeOptions =
        EncodeOptions { keep_byte_strings: false, ..EncodeOptions::FULL };

    /// `Call.args`: secrets and references whatever the handshake said; outputs and byte strings if
    /// the provider takes them.
    pub const fn call_args(peer: PeerFlags) -> EncodeOptions {
        EncodeOptions::FULL.for_peer(PeerFlags { secrets: true, resources: true, ..peer })
    }
}

/// What providers answer.
pub mod from_provider {
    use crate::options::{DecodeOptions, Unknowns};

    const ORDINARY: DecodeOptions = DecodeOptions { keep_outputs: false, ..DecodeOptions::FULL };

    /// `CheckConfig.inputs` and `Check.inputs`: unknowns where the request could hold them
    /// ([`DecodeOptions::unknowns_allowed`]).
    pub const CHECK_RESPONSE: DecodeOptions = ORDINARY;
    /// `Create` and `Update`, also where their properties come as the detail of a failure. Unknowns
    /// are an error outside previews ([`DecodeOptions::unknowns_allowed`]).
    pub const APPLY_RESPONSE: DecodeOptions = ORDINARY;
    /// `Read`, also where its properties come as the detail of a failure: unknowns are an error.
    pub const READ_RESPONSE: DecodeOptions = ORDINARY.unknowns_allowed(false);
    /// `Invoke.return`: unknowns are an error.
    pub const INVOKE_RESPONSE: DecodeOptions = ORDINARY.unknowns_allowed(false);

    /// `Construct.state` and `Call.return`: outputs are kept; unknowns are dropped outside
    /// previews.
    pub const fn component_response(preview: bool) -> DecodeOptions {
        let unknowns = if preview { Unknowns::Keep } else { Unknowns::Drop };
        DecodeOptions { unknowns, ..DecodeOptions::FULL }
    }

    /// States in `PublishViewSteps`.
    pub const VIEW_STEP: DecodeOptions = ORDINARY;
}

/// What the monitor gets from programs.
pub mod from_program {
    use crate::options::DecodeOptions;

    const ORDINARY: DecodeOptions = DecodeOptions { keep_outputs: false, ..DecodeOptions::FULL };

    /// `RegisterResource.object`. Secrets and unknowns become outputs too, as remote components
    /// want it; flatten for other resources.
    pub const REGISTER_RESOURCE: DecodeOptions =
        DecodeOptions { upgrade_to_outputs: true, ..DecodeOptions::FULL };
    /// `RegisterResource.replacement_trigger`.
    pub const REPLACEMENT_TRIGGER: DecodeOptions = DecodeOptions::FULL;
    /// `RegisterResourceOutputs.outputs`.
    pub const REGISTER_OUTPUTS: DecodeOptions = ORDINARY;
    /// `ReadResource.properties`.
    pub const READ_RESOURCE: DecodeOptions = ORDINARY;
    /// `Invoke.args`.
    pub const INVOKE_ARGS: DecodeOptions = ORDINARY;
    /// `Call.args`, with secrets and unknowns as outputs.
    pub const CALL_ARGS: DecodeOptions = REGISTER_RESOURCE;
    /// What transforms of resources and of invokes answer.
    pub const TRANSFORM_RESPONSE: DecodeOptions = DecodeOptions::FULL;
}

/// What the monitor and the engine send to programs. The flags of a request or a callback
/// (`acceptSecrets`, `acceptResources`, `accepts_byte_string`) go in as [`PeerFlags`](crate::PeerFlags).
pub mod to_program {
    use crate::options::{EncodeOptions, PeerFlags};

    const ORDINARY: EncodeOptions = EncodeOptions { keep_outputs: false, ..EncodeOptions::FULL };

    /// The answers of `RegisterResource` and `ReadResource`, subject to the flags of the request.
    pub const RESOURCE_RESPONSE: EncodeOptions = ORDINARY;

    /// The answer of `Invoke`: always with secrets.
    pub const fn invoke_response(accept_resources: bool, byte_strings: bool) -> EncodeOptions {
        let peer = PeerFlags { secrets: true, resources: accept_resources, outputs: false, byte_strings };
        ORDINARY.for_peer(peer)
    }

    /// The answer of `Call`: always with secrets and references, never with outputs.
    pub const fn call_response(byte_strings: bool) -> EncodeOptions {
        EncodeOptions { keep_byte_strings: byte_strings, ..ORDINARY }
    }

    /// What transforms and hooks are given: everything; byte strings if the callback takes them.
    pub const fn callback_request(byte_strings: bool) -> EncodeOptions {
        EncodeOptions { keep_byte_strings: byte_strings, ..EncodeOptions::FULL }
    }
}

/// What policy packs get and answer.
pub mod analyzer {
    use crate::options::{DecodeOptions, EncodeOptions};

    /// Properties in `Remediate`: secrets and unknowns, ids or URNs in the place of references.
    pub const REMEDIATE_REQUEST: EncodeOptions =
        EncodeOptions { keep_secrets: true, keep_unknowns: true, ..EncodeOptions::PLAIN };
    /// Properties in `Analyze` and `AnalyzeStack`, and of providers in all calls: the same without
    /// internal properties.
    pub const ANALYZE_REQUEST: EncodeOptions =
        EncodeOptions { skip_internal_keys: true, ..REMEDIATE_REQUEST };
    /// Properties in the answer of `Remediate`. References were sent as texts.
    pub const REMEDIATE_RESPONSE: DecodeOptions =
        DecodeOptions { keep_resources: false, keep_outputs: false, ..DecodeOptions::FULL };
}
