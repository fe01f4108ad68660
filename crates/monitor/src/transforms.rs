//! Transforms: functions of the program that may change a resource's properties and options, or an
//! invoke's arguments, before anybody else sees them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use purlin_model::{PropertyMap, QuickMap, Urn};
use purlin_wire::calls::{from_program, to_program};
use purlin_wire::pulumirpc::{
    Callback, TransformInvokeOptions, TransformInvokeRequest, TransformInvokeResponse, TransformRequest,
    TransformResourceOptions, TransformResponse,
};
use purlin_wire::{decode_map, encode_map};
use tonic::Status;

use crate::callbacks::Callbacks;
use crate::status;

/// The transforms of one resource.
pub(crate) type Own = Arc<[Callback]>;

/// All transforms that are registered, and which resources they reach.
#[derive(Default)]
pub(crate) struct Transforms {
    callbacks: Arc<Callbacks>,
    stack: RwLock<Vec<Callback>>,
    invoke: RwLock<Vec<Callback>>,
    lineage: RwLock<QuickMap<Urn, (Option<Urn>, Own)>>,
    /// Transforms of components that a plugin constructs, kept for when the plugin registers them.
    pending: Mutex<HashMap<String, Own>>,
}

/// The resource that transforms are run for.
pub(crate) struct Subject<'a> {
    pub(crate) ty: &'a str,
    pub(crate) name: &'a str,
    pub(crate) parent: Option<&'a Urn>,
    pub(crate) custom: bool,
}

impl Transforms {
    /// Where programs are called back.
    pub(crate) fn callbacks(&self) -> &Arc<Callbacks> {
        &self.callbacks
    }

    /// Adds a transform of all resources.
    pub(crate) fn add_to_stack(&self, callback: Callback) -> Result<(), Status> {
        self.callbacks.check(&callback)?;
        self.stack.write().unwrap_or_else(PoisonError::into_inner).push(callback);
        Ok(())
    }

    /// Adds a transform of all invokes.
    pub(crate) fn add_to_invokes(&self, callback: Callback) -> Result<(), Status> {
        self.callbacks.check(&callback)?;
        self.invoke.write().unwrap_or_else(PoisonError::into_inner).push(callback);
        Ok(())
    }

    /// The resource's own transforms: those that the request names, or those that were kept since
    /// the program asked for the component that is now registered.
    pub(crate) fn own(
        &self,
        subject: &Subject<'_>,
        remote: bool,
        named: Vec<Callback>,
    ) -> Result<Own, Status> {
        let key = || {
            let parent = subject.parent.map(Urn::as_str).unwrap_or_default();
            format!("{parent}::{}::{}", subject.ty, subject.name)
        };
        if subject.custom {
            return self.checked(named);
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if !pending.is_empty()
            && let Some(kept) = pending.remove(&key())
        {
            return Ok(kept);
        }
        let own = self.checked(named)?;
        if remote && !own.is_empty() {
            pending.insert(key(), Arc::clone(&own));
        }
        Ok(own)
    }

    fn checked(&self, callbacks: Vec<Callback>) -> Result<Own, Status> {
        callbacks.iter().try_for_each(|callback| self.callbacks.check(callback))?;
        Ok(callbacks.into())
    }

    /// All transforms that are to run for a resource, in order: its own, those of its parent and so
    /// on upwards, those of the stack.
    pub(crate) fn reaching(&self, parent: Option<&Urn>, own: &Own) -> Vec<Callback> {
        let mut all = own.to_vec();
        let lineage = self.lineage.read().unwrap_or_else(PoisonError::into_inner);
        let mut current = parent;
        while let Some((above, transforms)) = current.and_then(|urn| lineage.get(urn)) {
            all.extend(transforms.iter().cloned());
            current = above.as_ref();
        }
        all.extend(self.stack.read().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all
    }

    /// Remembers a registered resource for its children.
    pub(crate) fn registered(&self, urn: Urn, parent: Option<Urn>, own: Own) {
        self.lineage.write().unwrap_or_else(PoisonError::into_inner).insert(urn, (parent, own));
    }

    /// Runs transforms over properties and options.
    pub(crate) async fn run(
        &self,
        transforms: &[Callback],
        subject: &Subject<'_>,
        mut properties: PropertyMap,
        mut options: TransformResourceOptions,
    ) -> Result<(PropertyMap, TransformResourceOptions), Status> {
        for callback in transforms {
            let encoded =
                encode_map(&properties, &to_program::callback_request(callback.accepts_byte_string))
                    .map_err(|error| status::of_codec("properties for a transform", &error))?;
            let request = TransformRequest {
                r#type: subject.ty.to_owned(),
                name: subject.name.to_owned(),
                custom: subject.custom,
                parent: subject.parent.map(ToString::to_string).unwrap_or_default(),
                properties: Some(encoded),
                options: Some(options.clone()),
            };
            let answer: TransformResponse = self.callbacks.call(callback, &request).await?;
            if let Some(changed) = answer.properties {
                properties = decode_map(&changed, &from_program::TRANSFORM_RESPONSE)
                    .map_err(|error| status::of_codec("properties from a transform", &error))?;
            }
            options = answer.options.unwrap_or(options);
        }
        Ok((properties, options))
    }

    /// Runs the transforms of invokes over arguments and options.
    pub(crate) async fn run_invoke(
        &self,
        token: &str,
        mut args: PropertyMap,
        mut options: TransformInvokeOptions,
    ) -> Result<(PropertyMap, TransformInvokeOptions), Status> {
        let transforms = self.invoke.read().unwrap_or_else(PoisonError::into_inner).clone();
        for callback in &transforms {
            let encoded = encode_map(&args, &to_program::callback_request(callback.accepts_byte_string))
                .map_err(|error| status::of_codec("arguments for a transform", &error))?;
            let request = TransformInvokeRequest {
                token: token.to_owned(),
                args: Some(encoded),
                options: Some(options.clone()),
            };
            let answer: TransformInvokeResponse = self.callbacks.call(callback, &request).await?;
            if let Some(changed) = answer.args {
                args = decode_map(&changed, &from_program::INVOKE_ARGS)
                    .map_err(|error| status::of_codec("arguments from a transform", &error))?;
            }
            options = answer.options.unwrap_or(options);
        }
        Ok((args, options))
    }
}
