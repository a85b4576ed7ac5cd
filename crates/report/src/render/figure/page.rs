//! From a drawing to a file: SVG and PNG by one routine each, so that both show the same.

use std::sync::OnceLock;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::{FontStyle, RGBColor, register_font};

use super::canvas::{At, Canvas, Drawn, FAMILY, FINE, Shape, Type};
use crate::error::Error;

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
pub const MARGIN: f64 = 20.0;

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
        Ok(svg)
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

/// Bytes as text (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, i| {
            word << 8 | u32::from(*chunk.get(i).unwrap_or(&0))
        });
        for nth in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * nth) & 63) as usize];
            out.push(if nth > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    out
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

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
