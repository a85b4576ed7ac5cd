//! From a drawing to a file: SVG and PNG by one routine each, so that both show the same.

use std::sync::OnceLock;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::HPos;
use plotters::style::{FontStyle, RGBColor, register_font};

use super::canvas::{At, Canvas, Drawn, FAMILY, FINE, Shape, Type};
use super::compact::compact;
use crate::error::Error;
use crate::render::base64::base64;

/// DejaVu Sans 2.37; its licence lies beside it.
static FONT: &[u8] = include_bytes!("../../../fonts/DejaVuSans.ttf");

/// Pixels of the PNG a page unit: twice as many as the SVG, for dense screens and for print.
const DENSE: u32 = 2;

pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub const QUIET: RGBColor = RGBColor(0x66, 0x66, 0x66);
pub const RULE: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub const SHADE: RGBColor = RGBColor(0xf4, 0xf4, 0xf4);
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// Room at the edges of a page.
pub const MARGIN: f64 = 12.0;

/// The width of a page: one column of print, 3.5 inches, in which [`SMALL`] words have 7 points.
pub const COLUMN: f64 = 468.0;

/// The smallest size of words.
pub const SMALL: f64 = 13.0;

/// The size of the title of a page, and of a panel.
pub const TITLE: f64 = 15.0;

/// From one line of words to the next.
pub const LINE: f64 = 18.0;

/// The words in lines that fit into `width` at this size. Without a canvas, letters count with the mean width of the font.
pub fn wrap(text: &str, width: f64, size: f64) -> Vec<String> {
    let columns = (width / (0.57 * size)) as usize;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The height that the title of a page takes.
pub fn head(title: &str) -> f64 {
    14.0 + LINE * wrap(title, COLUMN - 2.0 * MARGIN, TITLE).len() as f64
}

/// Draws the title of a page.
pub fn draw_title<DB: DrawingBackend>(canvas: &Canvas<DB>, title: &str) -> Drawn<DB> {
    let lines = wrap(title, COLUMN - 2.0 * MARGIN, TITLE);
    for (nth, line) in lines.iter().enumerate() {
        let at = (MARGIN, 18.0 + LINE * nth as f64);
        canvas.text(line, at, TITLE, INK, HPos::Left)?;
    }
    Ok(())
}

/// How a curve looks. The colours are Okabe and Ito's, which colour-blind readers tell apart.
pub struct Look {
    pub color: RGBColor,
    pub shape: Shape,
    pub dash: &'static [f64],
}

pub const LOOKS: [Look; 7] = [
    Look {
        color: RGBColor(0x6b, 0x6b, 0x6b),
        shape: Shape::Diamond,
        dash: &[2.0, 4.0],
    },
    Look {
        color: RGBColor(0xd5, 0x5e, 0x00),
        shape: Shape::Square,
        dash: &[11.0, 4.0],
    },
    Look {
        color: RGBColor(0x00, 0x8a, 0x64),
        shape: Shape::Triangle,
        dash: &[9.0, 3.0, 2.0, 3.0],
    },
    Look {
        color: RGBColor(0x00, 0x5f, 0xa8),
        shape: Shape::Circle,
        dash: &[],
    },
    Look {
        color: RGBColor(0xb0, 0x50, 0x8a),
        shape: Shape::Cross,
        dash: &[6.0, 3.0],
    },
    Look {
        color: RGBColor(0x8a, 0x6d, 0x00),
        shape: Shape::Diamond,
        dash: &[14.0, 3.0, 2.0, 3.0, 2.0, 3.0],
    },
    Look {
        color: RGBColor(0x30, 0x30, 0x30),
        shape: Shape::Square,
        dash: &[4.0, 2.0],
    },
];

/// Something on a page.
pub trait Drawing {
    /// What it shows, and at which scale.
    fn title(&self) -> &str;

    /// Width and height in page units.
    fn size(&self) -> (f64, f64);

    /// Pictures made of pixels; all else is drawn on top of them.
    fn pictures(&self) -> Vec<Picture> {
        Vec::new()
    }

    /// Draws it on a white page.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB>;

    /// As SVG text.
    ///
    /// # Errors
    /// [`Error::Draw`].
    fn svg(&self) -> Result<String, Error> {
        font();
        let (width, height) = pixels(self.size(), FINE);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let canvas = Canvas::new(area, Type::SVG);
        canvas
            .fill(PAPER)
            .and_then(|()| self.draw(&canvas))
            .and_then(|()| canvas.present())
            .map_err(|source| failed(self.title(), &source))?;
        drop(canvas);
        let drawn = format!("width=\"{width}\" height=\"{height}\"");
        let (width, height) = pixels(self.size(), 1);
        let mut svg = svg.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1);
        let pictures = self
            .pictures()
            .iter()
            .map(Picture::svg)
            .collect::<Result<String, _>>();
        let pictures = pictures.map_err(|source| failed(self.title(), &source))?;
        // Right above the white of the page.
        let page = svg.find("/>").map_or(svg.len(), |at| at + 2);
        svg.insert_str(page, &pictures);
        Ok(compact(&svg))
    }

    /// As a PNG file.
    ///
    /// # Errors
    /// [`Error::Draw`].
    fn png(&self) -> Result<Vec<u8>, Error> {
        font();
        let (width, height) = pixels(self.size(), FINE);
        let mut buffer = vec![255; (width * height * 3) as usize];
        for picture in self.pictures() {
            picture.put(&mut buffer, (width, height));
        }
        let area = BitMapBackend::with_buffer(&mut buffer, (width, height)).into_drawing_area();
        let canvas = Canvas::new(area, Type::BITMAP);
        self.draw(&canvas)
            .and_then(|()| canvas.present())
            .map_err(|source| failed(self.title(), &source))?;
        drop(canvas);
        let fine = RgbImage::from_raw(width, height, buffer)
            .ok_or_else(|| failed(self.title(), &"the buffer does not fit the page"))?;
        let (width, height) = pixels(self.size(), DENSE);
        let smooth = image::imageops::thumbnail(&fine, width, height);
        encode(smooth.as_raw(), (width, height)).map_err(|source| failed(self.title(), &source))
    }
}

fn failed(title: &str, source: &dyn std::fmt::Display) -> Error {
    Error::Draw {
        title: title.to_owned(),
        source: source.to_string().into(),
    }
}

fn pixels((width, height): (f64, f64), unit: u32) -> (u32, u32) {
    (width as u32 * unit, height as u32 * unit)
}

fn encode(rgb: &[u8], (width, height): (u32, u32)) -> image::ImageResult<Vec<u8>> {
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(rgb, width, height, ExtendedColorType::Rgb8)?;
    Ok(png)
}

/// Registers the font, once a process.
fn font() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // The font is compiled in and parsed by a test; plotters' error says nothing.
        let _ = register_font(FAMILY, FontStyle::Normal, FONT);
    });
}

/// Pixels at a place on the page, each as large as it has to be.
pub struct Picture {
    /// Top left.
    pub at: At,
    /// Width and height in page units.
    pub size: (f64, f64),
    /// Columns and rows.
    pub pixels: (u32, u32),
    /// Red, green and blue of each, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    fn svg(&self) -> image::ImageResult<String> {
        let png = base64(&encode(&self.rgb, self.pixels)?);
        let unit = f64::from(FINE);
        let [x, y, width, height] =
            [self.at.0, self.at.1, self.size.0, self.size.1].map(|length| length * unit);
        Ok(format!(
            "\n<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/>"
        ))
    }

    /// Puts it into the pixels of a page.
    fn put(&self, page: &mut [u8], (width, height): (u32, u32)) {
        let unit = f64::from(FINE);
        let place = |at: f64, most: u32| ((at * unit).round().max(0.0) as u32).min(most);
        let (left, right) = (
            place(self.at.0, width),
            place(self.at.0 + self.size.0, width),
        );
        let (top, bottom) = (
            place(self.at.1, height),
            place(self.at.1 + self.size.1, height),
        );
        let (columns, rows) = self.pixels;
        for y in top..bottom {
            let row = (y - top) * rows / (bottom - top);
            for x in left..right {
                let column = (x - left) * columns / (right - left);
                let from = 3 * (row * columns + column) as usize;
                let to = 3 * (y * width + x) as usize;
                page[to..to + 3].copy_from_slice(&self.rgb[from..from + 3]);
            }
        }
    }
}

/// `1e-7`, or `100`: not raised, as a font without a raised minus would show another number.
pub fn power(exponent: i32) -> String {
    match exponent {
        0..=2 => 10_u32.pow(exponent.unsigned_abs()).to_string(),
        _ => format!("1e{exponent}"),
    }
}

/// `0.1 %`: a power of ten as a share.
pub fn percent(exponent: i32) -> String {
    let decimals = usize::try_from(-2 - exponent).unwrap_or(0);
    format!("{:.decimals$} %", 100.0 * 10_f64.powi(exponent))
}

/// Moves ascending heights apart to at least `gap`, within `top` and `bottom` as far as they fit, each as near to where it
/// was wanted as its neighbours allow.
pub fn spread_labels(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut heights = wanted.to_vec();
    for _ in 0..100 {
        for i in 1..heights.len() {
            let overlap = gap - (heights[i] - heights[i - 1]);
            if overlap > 0.0 {
                heights[i - 1] -= overlap / 2.0;
                heights[i] += overlap / 2.0;
            }
        }
        for height in &mut heights {
            *height = height.clamp(top, bottom);
        }
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_a_font() {
        assert!(register_font("another", FontStyle::Normal, FONT).is_ok());
    }

    #[test]
    fn labels_never_overlap() {
        for wanted in [
            vec![0.0, 0.0, 0.0, 0.0],
            vec![300.0, 300.0, 300.0, 300.0],
            vec![100.0, 101.0, 102.0, 290.0],
            vec![0.0, 150.0, 300.0],
            vec![],
        ] {
            let heights = spread_labels(&wanted, 18.0, 0.0, 300.0);
            for pair in heights.windows(2) {
                assert!(pair[1] - pair[0] > 17.5, "{wanted:?} {heights:?}");
            }
            assert!(heights.iter().all(|height| (0.0..=300.0).contains(height)));
        }
        assert_eq!(
            spread_labels(&[0.0, 150.0], 18.0, 0.0, 300.0),
            [0.0, 150.0],
            "no need, no move"
        );
    }

    #[test]
    fn words_wrap_into_lines() {
        let lines = wrap("not at the paper's scale", 100.0, 13.0);
        assert_eq!(lines, ["not at the", "paper's scale"]);
    }

    #[test]
    fn powers_are_written_as_in_tables() {
        assert_eq!(power(-10), "1e-10");
        assert_eq!(power(0), "1");
        assert_eq!(power(2), "100");
        assert_eq!(power(4), "1e4");
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(percent(-3), "0.1 %");
        assert_eq!(percent(-2), "1 %");
        assert_eq!(percent(0), "100 %");
    }
}
