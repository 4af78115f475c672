//! `approxmem check`: a dry run.

use super::arguments::Overrides;
use super::failure::Failure;
use super::output;
use super::progress::Voice;
use super::session::Session;
use crate::campaign;
use crate::experiment::{Experiment, Site, Volume, flip_std};
use crate::inference::{self, Engine, NoHook, Start};
use crate::network::Network;
use crate::report::{grouped, percent, table};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What a run would do.
#[derive(Serialize)]
struct Forecast {
    schema_version: u32,
    volume: Volume,
    bits_at_risk: u64,
    flips_expected_per_trial: f64,
    flips_expected_std: Option<f64>,
    trials: u64,
    images: u64,
    forward_passes_images: u64,
    macs: u128,
    /// Upper bound: weights as read and as packed, network inputs, golden activations.
    memory_bytes: u64,
    /// On all threads of this machine, if every image of every trial needs a whole pass; from a pass over a few images.
    /// Null when the network cannot be computed, or has no weights.
    time_estimate_s: Option<f64>,
    sites: Vec<SiteForecast>,
}

#[derive(Serialize)]
struct SiteForecast {
    subset: String,
    memory: String,
    bits_at_risk: u64,
    flips_expected_per_trial: f64,
}

/// Checks the experiment of `config` and prints what a run of it would do.
///
/// # Errors
/// Exit code 2 with every mistake found.
pub fn check(config: &Path, overrides: &Overrides, json: bool, voice: Voice) -> Result<(), Failure> {
    let session = Session::open(config, overrides, voice)?;
    let experiment = &session.resolved.experiment;
    let input = session.network.blob(session.network.input()).shape;
    let dataset = experiment.dataset.open(input).map_err(|error| Failure::refused(&error))?;
    let images = experiment.evaluation_images(&dataset, &session.network);
    let images = images.map_err(|error| Failure::refused(&error))?;
    let mut forecast = Forecast::of(experiment, &session.network, images as u64);
    match seconds_per_image(&session.network) {
        Ok(seconds) => forecast.time_estimate_s = Some(seconds * forecast.forward_passes_images as f64),
        Err(error) => voice.say(&format!("note: this experiment cannot be run: {error}")),
    }
    output::print(&if json { output::json(&forecast) } else { forecast.text(config) })
}

impl Forecast {
    fn of(experiment: &Experiment, network: &Network, images: u64) -> Self {
        let sites = experiment.sites(images);
        let passes = images * experiment.trials;
        let macs = network.layers_with_ids().map(|(id, _)| u128::from(network.macs(id)));
        let parameters = network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten();
        let weight_words: usize = parameters.map(crate::network::Parameter::words).sum();
        let activation_words: usize = network.blobs.iter().map(|blob| blob.shape.elements()).sum();
        let activation_bytes = 4 * activation_words as u64 * images;
        let input_bytes = 4 * network.blob(network.input()).shape.elements() as u64 * images;
        Self {
            schema_version: crate::report::SCHEMA_VERSION,
            volume: Volume::of(experiment),
            bits_at_risk: sites.iter().map(Site::bits_at_risk).sum(),
            flips_expected_per_trial: sites.iter().map(Site::expected_flips).sum(),
            flips_expected_std: flip_std(&sites, &experiment.memories),
            trials: experiment.trials,
            images,
            forward_passes_images: passes,
            macs: macs.sum::<u128>() * u128::from(passes),
            memory_bytes: 8 * weight_words as u64
                + input_bytes
                + activation_bytes.min(campaign::GOLDEN_BUDGET_BYTES as u64),
            time_estimate_s: None,
            sites: sites.iter().map(|site| site_forecast(experiment, site)).collect(),
        }
    }

    fn text(&self, config: &Path) -> String {
        let sites = self.sites.iter().map(|site| {
            vec![
                site.subset.clone(),
                site.memory.clone(),
                grouped(site.bits_at_risk),
                format!("{:.2}", site.flips_expected_per_trial),
            ]
        });
        let total = vec![
            "total".to_owned(),
            String::new(),
            grouped(self.bits_at_risk),
            match self.flips_expected_std {
                Some(std) => format!("{:.2} ± {std:.2}", self.flips_expected_per_trial),
                None => format!("{:.2}", self.flips_expected_per_trial),
            },
        ];
        let header = ["subset", "memory", "bits_at_risk", "flips_expected_per_trial"];
        let time = match self.time_estimate_s {
            Some(seconds) if seconds < 10.0 => format!("about {seconds:.1} s"),
            Some(seconds) => format!("about {} s", grouped(seconds.ceil() as u64)),
            None => "an unknown time".to_owned(),
        };
        format!(
            "{}: no mistake found\n\n\
             data volume: {} words, {} bits in fp32, {} stored, {} moved (reduction {} %)\n\n{}\n\n\
             {} trials x {} images = {} forward passes of one image, {:.3e} MACs,\n\
             {time} on all threads of this machine, at most {} MiB of activations and weights\n",
            config.display(),
            grouped(self.volume.words),
            grouped(self.volume.bits_fp32),
            grouped(self.volume.bits_stored),
            grouped(self.volume.bits_moved),
            percent(self.volume.reduction),
            table(&header, sites.chain([total])),
            grouped(self.trials),
            grouped(self.images),
            grouped(self.forward_passes_images),
            self.macs as f64,
            grouped(self.memory_bytes.div_ceil(1 << 20)),
        )
    }
}

/// Seconds for one image on all threads, measured over a few blank ones.
fn seconds_per_image(network: &Network) -> Result<f64, inference::Error> {
    let engine = Engine::new(network)?;
    let weights = engine.pack(network)?;
    let images = inference::LANES * rayon::current_num_threads();
    let shape = network.blob(network.input()).shape;
    let inputs = engine.zeros(shape, images);
    let pass =
        || engine.forward(&weights, &Start::new(network.input(), &inputs), &[engine.logits()], &NoHook);
    // The first pass makes the buffers.
    pass()?;
    let start = Instant::now();
    pass()?;
    Ok(start.elapsed().as_secs_f64() / images as f64)
}

fn site_forecast(experiment: &Experiment, site: &Site) -> SiteForecast {
    SiteForecast {
        subset: experiment.subsets[site.subset].subset.name.clone(),
        memory: experiment.memories[site.residency.memory].name.clone(),
        bits_at_risk: site.bits_at_risk(),
        flips_expected_per_trial: site.expected_flips(),
    }
}
