//! Figures 4 to 8 as charts. Figures 7 and 8 have the axes of the paper's; the axes of 4 to 6 follow its text, since the printed
//! figures are not known here.

use super::measurement::{Measurement, RandomWord, Scheme};
use super::published::{PROTECTED_BER, UNPROTECTED_BER};
use super::tables::Subject;
use crate::report::chart::{Axis, BLUE, Figure, GREEN, Layer, ORANGE, PURPLE, RGBColor, Shape, VERMILION};

/// Colour and marker of each line of a chart. No chart has more lines that carry different kinds of words or data.
const STYLES: [(RGBColor, Shape); 10] = [
    (BLUE, Shape::Circle),
    (ORANGE, Shape::Square),
    (GREEN, Shape::Triangle),
    (VERMILION, Shape::Diamond),
    (PURPLE, Shape::Circle),
    (BLUE, Shape::Square),
    (ORANGE, Shape::Triangle),
    (GREEN, Shape::Diamond),
    (VERMILION, Shape::Circle),
    (PURPLE, Shape::Square),
];

/// All charts of `number` in 4..=8 that `subjects` were measured for.
pub fn figures(number: u32, subjects: &[Subject<'_>]) -> Vec<Figure> {
    let measured = subjects.iter().filter_map(|subject| Some((subject, subject.measured?)));
    let drawn = measured.filter_map(|(subject, measured)| {
        let chart = match number {
            4 => widths(measured),
            5 => steps(measured),
            6 => front(measured),
            7 => rates(measured),
            8 => protection(measured),
            _ => None,
        }?;
        let file = format!("figure{number}-{}.svg", subject.source.name);
        let title = format!("{}: {}", subject.source.title, chart.title);
        Some(Figure { file, title, ..chart })
    });
    drawn.collect()
}

/// A chart of relative prediction accuracy in percent; [`figures`] names it.
fn accuracy_chart(title: &str, x: Axis, from_percent: f64, layers: Vec<Layer>) -> Figure {
    let y = Axis::linear("relative prediction accuracy, %", [from_percent, 102.0], 10.0, 0);
    Figure { file: String::new(), title: title.into(), x, y, layers }
}

fn line(index: usize, name: String, points: Vec<(f64, f64)>) -> Layer {
    let (colour, shape) = STYLES[index % STYLES.len()];
    Layer::Points { name, colour, shape, hollow: index >= STYLES.len() / 2, joined: true, points }
}

fn floor(measured: &Measurement) -> Layer {
    let floor = measured.settings.floor * 100.0;
    Layer::Level { name: format!("floor {floor} %"), value: floor }
}

/// Figure 4: single data under the first policy.
fn widths(measured: &Measurement) -> Option<Figure> {
    let single = measured.single.first()?;
    let mut layers = vec![floor(measured)];
    let mut most = 8;
    for (index, (datum, found)) in measured.data.iter().zip(&single.data).enumerate() {
        let points = found.points.iter().filter(|point| point.bits <= 16);
        let points: Vec<_> =
            points.map(|point| (f64::from(point.bits), 100.0 * measured.rpa(point.correct))).collect();
        most = most.max(found.points.iter().map(|point| point.bits).filter(|bits| *bits <= 16).max()?);
        layers.push(line(index, datum.name.clone(), points));
    }
    let x =
        Axis::linear("bit-width of the datum, everything else fp32", [0.5, f64::from(most) + 0.5], 1.0, 0);
    let x = x.with_ticks((1..=most).map(f64::from));
    Some(accuracy_chart("Figure 4, accuracy over the bit-width of single data", x, 0.0, layers))
}

/// Figure 5: the paper's greedy scheme, datum by datum, under the first policy.
fn steps(measured: &Measurement) -> Option<Figure> {
    let greedy = measured.joint.as_ref()?.greedy.first()?;
    let at = |value: &dyn Fn(&Scheme) -> f64| -> Vec<(f64, f64)> {
        let steps = greedy.steps.iter().enumerate();
        steps.map(|(index, step)| (index as f64, 100.0 * value(&step.scheme))).collect()
    };
    let names: Vec<String> = greedy
        .steps
        .iter()
        .map(|step| {
            let name = measured.data.get(step.datum).map_or("", |datum| datum.name.as_str());
            let bits = step.scheme.widths.get(step.datum).copied().unwrap_or(32);
            if step.taken { format!("+ {name}, {bits}") } else { format!("({name})") }
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let layers = vec![
        floor(measured),
        line(0, "relative prediction accuracy".into(), at(&|scheme| measured.rpa(scheme.correct))),
        line(1, "data volume reduction, eq. (1)".into(), at(&|scheme| measured.reduction(&scheme.widths))),
    ];
    let mut chart =
        accuracy_chart("Figure 5, the joint scheme datum by datum, bits", Axis::names(&names), 0.0, layers);
    chart.y = Axis::linear("%", [0.0, 105.0], 10.0, 0);
    Some(chart)
}

/// Figure 6: volume against accuracy.
fn front(measured: &Measurement) -> Option<Figure> {
    let joint = measured.joint.as_ref()?;
    let point = |scheme: &Scheme| {
        (100.0 * (1.0 - measured.reduction(&scheme.widths)), 100.0 * measured.rpa(scheme.correct))
    };
    let mut front: Vec<_> =
        joint.front.iter().map(point).filter(|(_, rpa)| *rpa >= LEAST_FRONT_PERCENT).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let greedy = joint.greedy.first()?.steps.iter().filter(|step| step.taken);
    let points = |name: &str, colour, shape, points| Layer::Points {
        name: name.into(),
        colour,
        shape,
        hollow: false,
        joined: false,
        points,
    };
    let smallest: Vec<_> = joint.smallest.iter().map(point).collect();
    let mut layers = vec![
        floor(measured),
        line(0, "no measured scheme is both smaller and more accurate".into(), front),
        points(
            "greedy, step by step",
            ORANGE,
            Shape::Square,
            greedy.map(|step| point(&step.scheme)).filter(|(_, rpa)| *rpa >= LEAST_FRONT_PERCENT).collect(),
        ),
    ];
    if !smallest.is_empty() {
        layers.push(points("smallest volume found above the floor", VERMILION, Shape::Ring, smallest));
    }
    let x = Axis::linear("data volume, % of fp32", [0.0, 100.0], 10.0, 0);
    let mut chart = accuracy_chart("Figure 6, accuracy over data volume", x, LEAST_FRONT_PERCENT, layers);
    chart.y = Axis::linear("relative prediction accuracy, %", [LEAST_FRONT_PERCENT, 101.0], 1.0, 0);
    Some(chart)
}

/// Least accuracy that the chart of schemes shows, %.
const LEAST_FRONT_PERCENT: f64 = 90.0;

/// Name of `word` in a legend.
fn word_name(word: &RandomWord) -> String {
    match word.policy {
        Some(policy) => format!("{}, binary point: {}", word.word, policy.binary_point.text()),
        None => word.word.clone(),
    }
}

/// Lines of points of `words`, each with its intervals.
fn random_layers(
    measured: &Measurement,
    at: impl Fn(&RandomWord) -> Vec<(f64, f64, Option<[f64; 2]>)>,
) -> Vec<Layer> {
    let mut layers = vec![floor(measured)];
    for (index, word) in measured.random.iter().take(STYLES.len()).enumerate() {
        let points = at(word);
        let ranges = points.iter().filter_map(|&(x, _, range)| {
            range.map(|range| (x, range.map(|end| (100.0 * end).clamp(0.0, 102.0))))
        });
        layers.push(Layer::Intervals { colour: STYLES[index % STYLES.len()].0, ranges: ranges.collect() });
        let means = points.iter().map(|&(x, rpa, _)| (x, 100.0 * rpa)).collect();
        layers.push(line(index, word_name(word), means));
    }
    layers
}

/// Figure 7: all weights unprotected.
fn rates(measured: &Measurement) -> Option<Figure> {
    let unprotected = |word: &RandomWord| -> Vec<_> {
        let points = word.points.iter().filter(|point| point.protected_msbs == 0);
        points.map(|point| (point.ber, point.rpa, point.interval)).collect()
    };
    let rates = measured.random.iter().flat_map(|word| &word.points).map(|point| point.ber);
    let (least, most) = rates.fold((UNPROTECTED_BER, PROTECTED_BER), |(a, b), ber| (ber.min(a), ber.max(b)));
    let decades =
        [libm::floor(libm::log10(least) + 1e-9) as i32, libm::ceil(libm::log10(most) - 1e-9) as i32];
    let x = Axis::decades("bit error rate of all weights, nothing protected", decades, 1);
    let title = "Figure 7, accuracy under random errors (mean, 95 % interval)";
    (!measured.random.is_empty()).then(|| accuracy_chart(title, x, 0.0, random_layers(measured, unprotected)))
}

/// Figure 8: all weights at one rate.
fn protection(measured: &Measurement) -> Option<Figure> {
    let ber = measured.random.first()?.protection_ber;
    let protected = |word: &RandomWord| -> Vec<_> {
        let points = word.points.iter().filter(|point| point.ber == ber);
        points.map(|point| (f64::from(point.protected_msbs), point.rpa, point.interval)).collect()
    };
    let most = measured.random.iter().flat_map(|word| &word.points).filter(|point| point.ber == ber);
    let most = most.map(|point| point.protected_msbs).max()?.max(1);
    let label = format!("protected most significant bits at a bit error rate of {ber:e}");
    let x = Axis::linear(&label, [-0.5, f64::from(most) + 0.5], 1.0, 0).with_ticks((0..=most).map(f64::from));
    let title = "Figure 8, accuracy with protected bits (mean, 95 % interval)";
    Some(accuracy_chart(title, x, 0.0, random_layers(measured, protected)))
}
