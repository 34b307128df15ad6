//! A response with its HTML parsed when asked for. Lives on one worker.

use std::sync::Arc;

use crate::request::Request;
use crate::response::Response;

/// A page: the request that led here, the response, and its document.
pub struct Page {
    request: Arc<Request>,
    response: Response,
}

impl Page {
    /// A page of this request and response.
    #[must_use]
    pub fn new(request: Arc<Request>, response: Response) -> Self {
        Self { request, response }
    }

    /// The request that led here: label, data and depth.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The response as received.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// The text of the first `<title>`.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        None
    }
}
