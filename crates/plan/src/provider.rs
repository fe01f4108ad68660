//! The choice of providers: explicit, inherited, default.

use std::collections::{BTreeMap, HashMap};

use purlin_model::urn::{is_provider_type, package_of_type};
use purlin_model::{Goal, PackageDescriptor, PropertyMap, PropertyValue, ProviderRef, Slot, UNKNOWN_ID, Urn};

use crate::effect::{Effect, Reply};
use crate::input::{ProviderQuery, Registration, Ticket};
use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::{Phase, Planner, ResId, Stage, TOO_LATE};

/// A ticket that waits for a default provider, with the explicit providers to be handed on.
type Waiter = (Ticket, BTreeMap<String, ProviderRef>);

/// The default providers asked for so far, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    by_request: HashMap<PackageDescriptor, Urn>,
    /// Those that are there, by what was asked for. A program asks for a handful of packages.
    settled: Vec<(PackageDescriptor, ProviderRef)>,
    waiting_resources: HashMap<Urn, Vec<ResId>>,
    waiting_tickets: HashMap<Urn, Vec<Waiter>>,
    /// Registrations that begin again when another is settled.
    waiting_others: HashMap<Urn, Vec<ResId>>,
    /// Registrations that wait until their provider, which only the base knows, has its place.
    waiting_carried: HashMap<Slot, Vec<ResId>>,
}

impl Defaults {
    fn nobody_waits(&self) -> bool {
        self.waiting_others.is_empty() && self.waiting_resources.is_empty() && self.waiting_tickets.is_empty()
    }

    /// A registration goes by another name from now on.
    pub(crate) fn rename(&mut self, from: &Urn, to: &Urn) {
        if let Some(waiting) = self.waiting_others.remove(from) {
            self.waiting_others.entry(to.clone()).or_default().extend(waiting);
        }
    }

    /// Gives up on everybody who waits with a ticket, in the order of tickets.
    pub(crate) fn drop_waiters(&mut self) -> Vec<Ticket> {
        self.waiting_resources.clear();
        self.waiting_others.clear();
        self.waiting_carried.clear();
        let mut tickets: Vec<Ticket> = std::mem::take(&mut self.waiting_tickets)
            .into_values()
            .flatten()
            .map(|(ticket, _)| ticket)
            .collect();
        tickets.sort();
        tickets
    }
}

/// A provider that is settled, or the default provider that has to be registered first.
pub(crate) enum Choice {
    Settled(ProviderRef),
    Default(Urn),
    /// The default provider could not be set up.
    Failed(Urn),
    Invalid(String),
}

impl Planner {
    /// The provider of a package for somebody with these explicit providers under this parent.
    pub(crate) fn choose_provider(
        &mut self,
        explicit: Option<&ProviderRef>,
        providers: &BTreeMap<String, ProviderRef>,
        parent: Option<&Urn>,
        package: &PackageDescriptor,
    ) -> Choice {
        let own = explicit.is_some() || providers.contains_key(package.package());
        match self.given_provider(explicit, providers, parent, package).cloned() {
            Some(provider) => {
                self.fire(if own { Rule::ProviderExplicit } else { Rule::ProviderInherited });
                Choice::Settled(provider)
            }
            None => self.default_provider(package),
        }
    }

    /// The provider that somebody was given, himself or by his parent.
    fn given_provider<'a>(
        &'a self,
        explicit: Option<&'a ProviderRef>,
        providers: &'a BTreeMap<String, ProviderRef>,
        parent: Option<&Urn>,
        package: &PackageDescriptor,
    ) -> Option<&'a ProviderRef> {
        let name = package.package();
        let inherited = || {
            // A custom resource hands on what serves itself, a component what it was given to hand on.
            let parent = self.resource_by_urn(parent?)?;
            match parent.goal.custom {
                true => parent.provider.as_ref().filter(|p| p.package() == name),
                false => parent.providers.get(name),
            }
        };
        explicit.or_else(|| providers.get(name)).or_else(inherited)
    }

    /// The provider that a registration will have, before there is one.
    pub(crate) fn provider_to_be(&self, res: ResId) -> Option<Urn> {
        let resource = self.get(res);
        let goal = &resource.goal;
        if !goal.custom || is_provider_type(&goal.ty) {
            return None;
        }
        let given = self.given_provider(
            goal.provider.as_ref(),
            &resource.providers,
            goal.parent.as_ref(),
            &resource.package,
        );
        Some(match given {
            Some(provider) => provider.urn().clone(),
            None => self.default_urn(&self.complete(&resource.package)),
        })
    }

    fn default_urn(&self, request: &PackageDescriptor) -> Urn {
        let ty = format!("{}{}", purlin_model::urn::PROVIDER_TYPE_PREFIX, request.package());
        Urn::new(&self.settings.stack, &self.settings.project, None, &ty, &default_name(request))
    }

    /// What a resource below another has from it: the parent's goal, with what that inherited, and the
    /// provider of a package. A local component has no package of its own.
    pub fn handed_on(&self, parent: &Urn, package: Option<&str>) -> Option<(&Goal, Option<&ProviderRef>)> {
        let parent = self.resource_by_urn(parent)?;
        let provider = match (package, parent.goal.custom) {
            (Some(package), true) => parent.provider.as_ref().filter(|p| p.package() == package),
            (Some(package), false) => parent.providers.get(package),
            (None, true) => parent.provider.as_ref(),
            (None, false) => parent.goal.provider.as_ref(),
        };
        Some((&parent.goal, provider))
    }

    fn default_provider(&mut self, package: &PackageDescriptor) -> Choice {
        if let Some((_, provider)) = self.defaults.settled.iter().find(|(asked, _)| asked == package) {
            return Choice::Settled(provider.clone());
        }
        let choice = self.find_default_provider(package);
        if let Choice::Settled(provider) = &choice {
            self.defaults.settled.push((package.clone(), provider.clone()));
        }
        choice
    }

    fn find_default_provider(&mut self, package: &PackageDescriptor) -> Choice {
        let request = self.complete(package);
        let name = request.package();
        let disabled = &self.settings.disabled_default_providers;
        if name != "pulumi" && (disabled.contains("*") || disabled.contains(name)) {
            self.rules.fire(Rule::ProviderDisabled);
            return Choice::Invalid(format!(
                "Default provider for '{name}' disabled. '{name}' must use an explicit provider."
            ));
        }
        if let Some(urn) = self.defaults.by_request.get(&request).cloned() {
            return self.default_choice(urn);
        }
        let mut inputs = self.settings.package_config.get(name).cloned().unwrap_or_default();
        describe_plugin(&mut inputs, &request);
        let ty = format!("{}{name}", purlin_model::urn::PROVIDER_TYPE_PREFIX);
        let goal = Goal::new(ty, default_name(&request), true, inputs);
        let registration =
            Registration { goal, providers: BTreeMap::new(), package: request.clone(), read_id: None };
        let urn = self.default_urn(&registration.package);
        if let Some(stored) = self.default_of_base(&urn) {
            return Choice::Settled(stored);
        }
        self.defaults.by_request.insert(request, urn.clone());
        let known = self.by_urn.contains_key(&urn);
        if !known {
            self.fire_default(package, &registration.package);
            self.admit(None, registration, urn.clone());
            if let Some(res) = self.res(&urn) {
                self.effects.push(Effect::Adopt { res });
                self.begin(res);
            }
        }
        self.default_choice(urn)
    }

    /// Counts what was decided about a default provider that is to be registered.
    fn fire_default(&mut self, asked: &PackageDescriptor, request: &PackageDescriptor) {
        self.fire(Rule::ProviderDefault);
        if !request.package_version().is_empty() {
            self.fire(Rule::ProviderVersioned);
        }
        if request.parameterization.is_some() {
            self.fire(Rule::ProviderParameterized);
        }
        if request != asked {
            self.fire(Rule::ProviderCompleted);
        }
    }

    /// An import from a list takes the default provider that the state has, as it is.
    fn default_of_base(&self, urn: &Urn) -> Option<ProviderRef> {
        let slot = self.live.get(urn).filter(|_| self.settings.mode == Mode::Import)?;
        self.entry(*slot).state.as_provider()
    }

    fn default_choice(&self, urn: Urn) -> Choice {
        match self.provider_of_registered(&urn) {
            Some(provider) => Choice::Settled(provider),
            None if self.resource_by_urn(&urn).is_some_and(|r| !r.phase_is_open()) => Choice::Failed(urn),
            None => Choice::Default(urn),
        }
    }

    /// Fills in what the program's dependencies say about a package that was asked for in part.
    pub(crate) fn complete(&self, package: &PackageDescriptor) -> PackageDescriptor {
        let mut request = package.clone();
        if let Some(known) = self.settings.default_packages.get(package.package()) {
            if request.version.is_empty() {
                request.version.clone_from(&known.version);
            }
            if request.download_url.is_empty() {
                request.download_url.clone_from(&known.download_url);
            }
            if request.checksums.is_empty() {
                request.checksums.clone_from(&known.checksums);
            }
            if request.parameterization.is_none() && known.parameterization.is_some() {
                request.parameterization.clone_from(&known.parameterization);
                request.name.clone_from(&known.name);
            }
        }
        request
    }

    fn provider_of_registered(&self, urn: &Urn) -> Option<ProviderRef> {
        let (_, state) = self.registered(urn)?;
        let id = if state.id.is_empty() { UNKNOWN_ID } else { &state.id };
        Some(ProviderRef::new(urn.clone(), id))
    }

    pub(crate) fn await_default(&mut self, urn: Urn, res: ResId) {
        self.get_mut(res).phase = Phase::AwaitingProvider;
        self.defaults.waiting_resources.entry(urn).or_default().push(res);
    }

    /// Whether a registration is another one, or waits until that is settled, directly or not.
    pub(crate) fn waits_on(&self, res: ResId, other: ResId) -> bool {
        let urn = self.urn(other);
        let mut waiting: Vec<ResId> = vec![other];
        let mut next = self.defaults.waiting_others.get(urn).cloned().unwrap_or_default();
        while let Some(found) = next.pop() {
            if !waiting.contains(&found) {
                waiting.push(found);
                next.extend(self.defaults.waiting_others.get(self.urn(found)).into_iter().flatten().copied());
            }
        }
        waiting.contains(&res)
    }

    /// Begins with a registration when another is settled.
    pub(crate) fn begin_after(&mut self, other: Urn, res: ResId) {
        self.get_mut(res).phase = Phase::AwaitingProvider;
        self.defaults.waiting_others.entry(other).or_default().push(res);
    }

    pub(crate) fn await_carried(&mut self, provider: Slot, res: ResId) {
        self.get_mut(res).phase = Phase::AwaitingProvider;
        self.defaults.waiting_carried.entry(provider).or_default().push(res);
    }

    /// A provider that only the base knows has its place, or could not be given one.
    pub(crate) fn carried_settled(&mut self, provider: Slot, placed: bool) {
        for res in self.defaults.waiting_carried.remove(&provider).unwrap_or_default() {
            match placed {
                true => self.provider_settled(res),
                false => self.skip(res),
            }
        }
    }

    pub(crate) fn need_provider(&mut self, ticket: Ticket, query: &ProviderQuery) {
        if self.stopping {
            return self.reply(Some(ticket), Reply::Stopping);
        }
        if self.stage != Stage::Program {
            return self.reply(Some(ticket), Reply::Invalid(TOO_LATE.to_owned()));
        }
        let mut providers = query.providers.clone();
        let parent = query.parent.as_ref().and_then(|urn| self.resource_by_urn(urn));
        if let Some(parent) = parent.filter(|parent| !parent.goal.custom) {
            for (package, provider) in &parent.providers {
                providers.entry(package.clone()).or_insert_with(|| provider.clone());
            }
        }
        let heir =
            query.parent.as_ref().filter(|_| !query.function || parent.is_some_and(|p| !p.goal.custom));
        match self.choose_provider(query.explicit.as_ref(), &query.providers, heir, &query.package) {
            Choice::Settled(provider) => {
                self.reply(Some(ticket), Reply::Provider { provider, providers });
            }
            Choice::Default(urn) => {
                self.defaults.waiting_tickets.entry(urn).or_default().push((ticket, providers));
            }
            Choice::Failed(urn) => self.reply(Some(ticket), Reply::Invalid(not_set_up(&urn))),
            Choice::Invalid(message) => self.reply(Some(ticket), Reply::Invalid(message)),
        }
    }

    /// A registration has settled: lets everybody go on who waits for it, as for a default provider.
    pub(crate) fn default_settled(&mut self, urn: &Urn) {
        if self.defaults.nobody_waits() {
            return;
        }
        for res in self.defaults.waiting_others.remove(urn).unwrap_or_default() {
            self.begin(res);
        }
        let resources = self.defaults.waiting_resources.remove(urn).unwrap_or_default();
        let tickets = self.defaults.waiting_tickets.remove(urn).unwrap_or_default();
        match self.provider_of_registered(urn) {
            Some(provider) => {
                for res in resources {
                    self.get_mut(res).provider = Some(provider.clone());
                    self.provider_settled(res);
                }
                for (ticket, providers) in tickets {
                    self.reply(Some(ticket), Reply::Provider { provider: provider.clone(), providers });
                }
            }
            None => {
                for res in resources {
                    self.skip(res);
                }
                for (ticket, _) in tickets {
                    let reply = if self.stopping { Reply::Stopping } else { Reply::Invalid(not_set_up(urn)) };
                    self.reply(Some(ticket), reply);
                }
            }
        }
    }

    /// A provider resource's own inputs say which plugin serves it. Where neither version nor address
    /// is asked for, it is the plugin that serves the package by default.
    pub(crate) fn describe_explicit_provider(&self, registration: &mut Registration) {
        if !is_provider_type(&registration.goal.ty) {
            return;
        }
        let mut package = registration.package.clone();
        if package.name.is_empty() {
            package_of_type(&registration.goal.ty).clone_into(&mut package.name);
        }
        let open = package.version.is_empty() && package.download_url.is_empty();
        let mut request = if open { self.complete(&package) } else { package };
        let mut inputs = PropertyMap::clone(&registration.goal.inputs);
        describe_plugin(&mut inputs, &request);
        if request.version.is_empty()
            && let Some(version) = inputs.get("version").and_then(PropertyValue::as_str)
        {
            version.clone_into(&mut request.version);
        }
        registration.goal.inputs = inputs.into();
        registration.package = request;
    }
}

fn not_set_up(urn: &Urn) -> String {
    format!("provider {urn} could not be set up")
}

/// Writes into a provider's inputs which plugin serves it: `version`, and `__internal` with what a
/// plugin never sees.
fn describe_plugin(inputs: &mut PropertyMap, request: &PackageDescriptor) {
    let mut internal = match inputs.remove("__internal") {
        Some(PropertyValue::Object(map)) => Some(map),
        _ => None,
    };
    if !request.package_version().is_empty() {
        inputs.insert("version".into(), request.package_version().into());
        internal.get_or_insert_default();
    }
    if !request.download_url.is_empty() {
        let url = request.download_url.as_str().into();
        internal.get_or_insert_default().insert("pluginDownloadURL".into(), url);
    }
    if !request.checksums.is_empty() {
        let sums: PropertyMap =
            request.checksums.iter().map(|(k, v)| (k.clone(), PropertyValue::String(hex(v)))).collect();
        internal.get_or_insert_default().insert("pluginChecksums".into(), sums.into());
    }
    if let Some(parameterization) = &request.parameterization {
        let internal = internal.get_or_insert_default();
        internal.insert("name".into(), request.name.as_str().into());
        internal.insert("version".into(), request.version.as_str().into());
        internal.insert("parameterization".into(), PropertyValue::String(base64(&parameterization.value)));
    }
    if let Some(internal) = internal {
        inputs.insert("__internal".into(), internal.into());
    }
}

/// The name of a default provider: `default`, with the version and the download URL where they
/// are known.
fn default_name(request: &PackageDescriptor) -> String {
    let mut name = "default".to_owned();
    let version = request.package_version();
    if !version.is_empty() {
        name.push('_');
        name.extend(version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
    if !request.download_url.is_empty() {
        name.push('_');
        name.push_str(&url_as_name(&request.download_url));
    }
    name
}

/// A URL with everything that names don't allow turned into underscores, part by part.
fn url_as_name(url: &str) -> String {
    let part = |part: &str| -> String {
        part.chars()
            .enumerate()
            .map(|(at, c)| {
                let plain =
                    c.is_ascii_alphabetic() || matches!(c, '_' | '.') || (at > 0 && c.is_ascii_digit());
                if plain { c } else { '_' }
            })
            .collect()
    };
    url.split('/').filter(|p| !p.is_empty()).map(part).collect::<Vec<_>>().join("/")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Standard base64 with padding, as Go's `base64.StdEncoding` has it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |acc, b| (acc << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            if position <= chunk.len() {
                let index = (group >> (18 - 6 * position)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_providers_are_named_after_version_and_url() {
        let mut request = PackageDescriptor::new("random", "");
        assert_eq!(default_name(&request), "default");
        request.version = "4.16.0-alpha.1+b".into();
        assert_eq!(default_name(&request), "default_4_16_0_alpha_1_b");
        request.download_url = "https://x.y/z?q".into();
        assert_eq!(default_name(&request), "default_4_16_0_alpha_1_b_https_/x.y/z_q");
        request.download_url = "https://1x.y23".into();
        assert_eq!(default_name(&request), "default_4_16_0_alpha_1_b_https_/_x.y23");
    }

    #[test]
    fn base64_pads() {
        assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
    }
}
