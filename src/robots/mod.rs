//! robots.txt.
mod record;
pub use record::{RobotsAnswer, RobotsRecord};
