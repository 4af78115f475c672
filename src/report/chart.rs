//! Charts as SVG text: curves that are dashed where they extrapolate, points, intervals, and a legend below.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;
use std::ops::Range;
use thiserror::Error;

pub use plotters::style::RGBColor;

/// The first of the colours of Okabe and Ito, which colour-blind readers tell apart; their greys differ too.
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
/// The second colour, the lightest.
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
/// The third colour.
pub const GREEN: RGBColor = RGBColor(0, 120, 90);
/// The fourth colour.
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);
/// The fifth colour.
pub const PURPLE: RGBColor = RGBColor(150, 80, 130);
/// Axes, text, and what was published.
pub const INK: RGBColor = RGBColor(30, 30, 30);

const GRID: RGBColor = RGBColor(214, 214, 214);
const WIDTH: u32 = 1200;
const PLOT_HEIGHT: u32 = 640;
const TITLE_HEIGHT: u32 = 64;
const LEGEND_LINE: i32 = 38;
/// Samples of a curve over the whole axis.
const SAMPLES: u32 = 200;

type Canvas<'b> = DrawingArea<SVGBackend<'b>, Shift>;
type Plane = Cartesian2d<Axis, Axis>;
type Drawn = Result<(), ChartError>;

/// Why a chart cannot be drawn.
#[derive(Debug, Error)]
#[error("a chart cannot be drawn")]
pub struct ChartError(#[from] DrawingAreaErrorKind<io::Error>);

/// One axis: positions are the value itself, or its decimal logarithm.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    logarithmic: bool,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis with a tick every `step`.
    pub fn linear(label: &str, [from, to]: [f64; 2], step: f64, decimals: usize) -> Self {
        let count = ((to - from) / step + 1e-9) as u32;
        let ticks = (0..=count).map(|tick| from + step * f64::from(tick));
        let ticks = ticks.map(|value| (value, format!("{value:.decimals$}"))).collect();
        Self { label: label.into(), logarithmic: false, from, to, ticks }
    }

    /// The same axis with ticks at the whole numbers `values`.
    #[must_use]
    pub fn with_ticks(mut self, values: impl Iterator<Item = f64>) -> Self {
        self.ticks = values.map(|value| (self.position(value), value.to_string())).collect();
        self
    }

    /// A logarithmic axis from 10^`from` to 10^`to` with a tick every `step` decades.
    pub fn decades(label: &str, [from, to]: [i32; 2], step: usize) -> Self {
        let ticks = (from..=to).step_by(step);
        let ticks = ticks.map(|decade| (f64::from(decade), format!("1e{decade}"))).collect();
        Self { label: label.into(), logarithmic: true, from: f64::from(from), to: f64::from(to), ticks }
    }

    /// A logarithmic axis with ticks at `values`.
    pub fn logarithmic(label: &str, [from, to]: [f64; 2], values: &[f64]) -> Self {
        let ticks = values.iter().map(|&value| (libm::log10(value), value.to_string())).collect();
        let (from, to) = (libm::log10(from), libm::log10(to));
        Self { label: label.into(), logarithmic: true, from, to, ticks }
    }

    /// An axis of `names`, one at each of 0, 1, 2 and so on.
    pub fn names(names: &[&str]) -> Self {
        let ticks = names.iter().enumerate().map(|(at, name)| (at as f64, (*name).to_owned())).collect();
        Self { label: String::new(), logarithmic: false, from: -0.7, to: names.len() as f64 - 0.3, ticks }
    }

    fn position(&self, value: f64) -> f64 {
        if self.logarithmic { libm::log10(value) } else { value }
    }

    fn value(&self, position: f64) -> f64 {
        if self.logarithmic { libm::pow(10.0, position) } else { position }
    }

    fn contains(&self, position: f64) -> bool {
        (self.from..=self.to).contains(&position)
    }

    fn text(&self, position: f64) -> String {
        self.ticks.iter().find(|(at, _)| *at == position).map_or(String::new(), |(_, text)| text.clone())
    }

    fn label_width(&self) -> u32 {
        let longest = self.ticks.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
        60 + 15 * longest as u32
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (position - self.from) / (self.to - self.from);
        start + (share * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(position, _)| *position).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// Outline of a marker.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A triangle on its base.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A circle around what is drawn already.
    Ring,
}

/// What a chart shows.
pub enum Layer {
    /// A model over the whole axis.
    Curve {
        /// Its entry in the legend.
        name: String,
        /// Its colour.
        colour: RGBColor,
        /// Value at a value of the horizontal axis, if there is one.
        model: Box<dyn Fn(f64) -> Option<f64>>,
        /// Where it is solid; dashed outside.
        valid: [f64; 2],
    },
    /// Values.
    Points {
        /// Their entry in the legend.
        name: String,
        /// Their colour.
        colour: RGBColor,
        /// Their marker.
        shape: Shape,
        /// Whether the marker is hollow: no curve was fitted to them, or they are another kind of value.
        hollow: bool,
        /// Whether straight lines join them.
        joined: bool,
        /// The values.
        points: Vec<(f64, f64)>,
    },
    /// Vertical bars, as of confidence intervals; no entry in the legend.
    Intervals {
        /// Their colour.
        colour: RGBColor,
        /// Value of the horizontal axis, lower and upper end.
        ranges: Vec<(f64, [f64; 2])>,
    },
    /// A horizontal line that carries its name.
    Level {
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
    },
}

impl Layer {
    /// Its entry in the legend, if it has one.
    fn entry(&self) -> Option<&str> {
        match self {
            Self::Curve { name, .. } | Self::Points { name, .. } => Some(name),
            Self::Intervals { .. } | Self::Level { .. } => None,
        }
    }
}

/// A chart.
pub struct Figure {
    /// Name of its file.
    pub file: String,
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What it shows, each above the one before.
    pub layers: Vec<Layer>,
}

/// The lighter a curve, the broader: it stays visible below a dark one, and in grey.
fn stroke(colour: RGBColor) -> ShapeStyle {
    colour.stroke_width(match colour {
        ORANGE => 10,
        GREEN => 7,
        _ => 4,
    })
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Corners of `shape` around its centre; none for a circle.
fn corners(shape: Shape) -> &'static [(i32, i32)] {
    match shape {
        Shape::Circle | Shape::Ring => &[],
        Shape::Square => &[(-8, -8), (8, -8), (8, 8), (-8, 8), (-8, -8)],
        Shape::Triangle => &[(0, -11), (10, 8), (-10, 8), (0, -11)],
        Shape::Diamond => &[(0, -12), (10, 0), (0, 12), (-10, 0), (0, -12)],
    }
}

fn marker(canvas: &Canvas<'_>, (x, y): (i32, i32), shape: Shape, colour: RGBColor, hollow: bool) -> Drawn {
    if matches!(shape, Shape::Ring) {
        canvas.draw(&Circle::new((x, y), 17, colour.stroke_width(3)))?;
        return Ok(());
    }
    let (inner, outline) = (if hollow { WHITE } else { colour }, colour.stroke_width(3));
    let outer: Vec<_> = corners(shape).iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    if outer.is_empty() {
        canvas.draw(&Circle::new((x, y), 9, inner.filled()))?;
        canvas.draw(&Circle::new((x, y), 9, outline))?;
    } else {
        canvas.draw(&Polygon::new(outer.clone(), inner.filled()))?;
        canvas.draw(&PathElement::new(outer, outline))?;
    }
    Ok(())
}

impl Figure {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// [`ChartError`] if an axis has no extent.
    pub fn svg(&self) -> Result<String, ChartError> {
        let entries = self.layers.iter().filter_map(Layer::entry).count();
        let dashed = self.layers.iter().any(|layer| self.extrapolates(layer));
        let lines = (entries + usize::from(dashed)) as u32;
        let height = TITLE_HEIGHT + PLOT_HEIGHT + LEGEND_LINE as u32 * lines + 20;
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            root.fill(&WHITE)?;
            let middle = Pos::new(HPos::Center, VPos::Center);
            root.draw(&Text::new(self.title.as_str(), (WIDTH as i32 / 2, 34), font(34).pos(middle)))?;
            self.plot(&root.margin(TITLE_HEIGHT, height - TITLE_HEIGHT - PLOT_HEIGHT, 0, 0), &root)?;
            self.legend(&root, (TITLE_HEIGHT + PLOT_HEIGHT) as i32 + 24)?;
            root.present()?;
        }
        text.push('\n');
        Ok(text)
    }

    fn plot(&self, area: &Canvas<'_>, root: &Canvas<'_>) -> Drawn {
        let mut chart = ChartBuilder::on(area)
            .margin_right(40)
            .margin_left(10)
            .x_label_area_size(80)
            .y_label_area_size(self.y.label_width())
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .axis_style(INK.stroke_width(2))
            .bold_line_style(GRID.stroke_width(1))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(font(29))
            .label_style(font(27))
            .x_label_formatter(&|position| self.x.text(*position))
            .y_label_formatter(&|position| self.y.text(*position))
            .draw()?;
        for layer in &self.layers {
            self.draw(layer, &mut chart, root)?;
        }
        Ok(())
    }

    fn draw(
        &self,
        layer: &Layer,
        chart: &mut ChartContext<'_, SVGBackend<'_>, Plane>,
        root: &Canvas<'_>,
    ) -> Drawn {
        match layer {
            Layer::Curve { colour, model, valid, .. } => {
                let style = stroke(*colour);
                let valid = valid.map(|value| self.x.position(value));
                for (from, to, solid) in
                    [(self.x.from, valid[0], false), (valid[0], valid[1], true), (valid[1], self.x.to, false)]
                {
                    let line = self.samples(model, from, to);
                    if solid {
                        chart.draw_series([PathElement::new(line, style)])?;
                    } else if line.len() > 1 {
                        chart.draw_series(DashedLineSeries::new(line, 12, 9, style))?;
                    }
                }
            }
            Layer::Points { colour, shape, hollow, joined, points, .. } => {
                let at = |&(x, y): &(f64, f64)| (self.x.position(x), self.y.position(y));
                if *joined {
                    chart.draw_series(LineSeries::new(points.iter().map(at), colour.stroke_width(3)))?;
                }
                for point in points {
                    marker(root, chart.backend_coord(&at(point)), *shape, *colour, *hollow)?;
                }
            }
            Layer::Intervals { colour, ranges } => {
                for &(x, ends) in ranges {
                    let x = self.x.position(x);
                    let ends = ends.map(|end| (x, self.y.position(end).clamp(self.y.from, self.y.to)));
                    chart.draw_series([PathElement::new(ends.to_vec(), colour.stroke_width(3))])?;
                    for end in ends {
                        let (x, y) = chart.backend_coord(&end);
                        root.draw(&PathElement::new(vec![(x - 7, y), (x + 7, y)], colour.stroke_width(3)))?;
                    }
                }
            }
            Layer::Level { name, value } => {
                let y = self.y.position(*value);
                chart.draw_series(DashedLineSeries::new(
                    [(self.x.from, y), (self.x.to, y)],
                    3,
                    6,
                    INK.stroke_width(2),
                ))?;
                let (left, line) = chart.backend_coord(&(self.x.from, y));
                let above = Pos::new(HPos::Left, VPos::Bottom);
                root.draw(&Text::new(name.as_str(), (left + 12, line - 4), font(25).pos(above)))?;
            }
        }
        Ok(())
    }

    /// Positions of the curve of `model` between the positions `from` and `to`, as far as they are in the chart.
    fn samples(&self, model: &dyn Fn(f64) -> Option<f64>, from: f64, to: f64) -> Vec<(f64, f64)> {
        let (from, to) = (from.max(self.x.from), to.min(self.x.to));
        if from >= to {
            return Vec::new();
        }
        let count = (((to - from) / (self.x.to - self.x.from)) * f64::from(SAMPLES)).ceil().max(1.0);
        let line: Vec<_> = (0..=count as u32)
            .filter_map(|sample| {
                let x = from + (to - from) * f64::from(sample) / count;
                model(self.x.value(x)).map(|y| (x, self.y.position(y)))
            })
            .collect();
        self.clipped(&line)
    }

    /// `line` up to where it leaves the chart; it may do so at one of its ends or at both.
    fn clipped(&self, line: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let mut inside = Vec::new();
        for (index, &(x, y)) in line.iter().enumerate() {
            if self.y.contains(y) {
                inside.push((x, y));
            }
            let Some(&(x1, y1)) = line.get(index + 1) else { break };
            if self.y.contains(y) != self.y.contains(y1) {
                let bound = if y.max(y1) > self.y.to { self.y.to } else { self.y.from };
                // A rate of 0 has no logarithm: the line then drops to the edge at the next sample.
                let share = if (y1 - y).is_finite() { (bound - y) / (y1 - y) } else { 1.0 };
                inside.push((x + (x1 - x) * share, bound));
            }
        }
        inside
    }

    fn extrapolates(&self, layer: &Layer) -> bool {
        let Layer::Curve { valid: [from, to], .. } = layer else { return false };
        self.x.position(*from) > self.x.from || self.x.position(*to) < self.x.to
    }

    fn legend(&self, root: &Canvas<'_>, top: i32) -> Drawn {
        let (left, right, mut y) = (90, 170, top);
        let beside = Pos::new(HPos::Left, VPos::Center);
        let line = |style: ShapeStyle, y: i32| PathElement::new(vec![(left, y), (right, y)], style);
        for layer in &self.layers {
            let name = match layer {
                Layer::Curve { name, colour, .. } => {
                    root.draw(&line(stroke(*colour), y))?;
                    name
                }
                Layer::Points { name, colour, shape, hollow, joined, .. } => {
                    if *joined {
                        root.draw(&line(colour.stroke_width(3), y))?;
                    }
                    marker(root, (i32::midpoint(left, right), y), *shape, *colour, *hollow)?;
                    name
                }
                Layer::Intervals { .. } | Layer::Level { .. } => continue,
            };
            root.draw(&Text::new(name.as_str(), (right + 20, y), font(27).pos(beside)))?;
            y += LEGEND_LINE;
        }
        if self.layers.iter().any(|layer| self.extrapolates(layer)) {
            for start in (left..right).step_by(21) {
                root.draw(&PathElement::new(
                    vec![(start, y), ((start + 12).min(right), y)],
                    INK.stroke_width(4),
                ))?;
            }
            let text = "dashed: outside the valid range, extrapolated";
            root.draw(&Text::new(text, (right + 20, y), font(27).pos(beside)))?;
        }
        Ok(())
    }
}
