//! Why a head goes no further, whichever protocol it came by.

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRefusal {
    /// A line that doesn't end in CRLF, or a CR or LF inside one.
    BareLineEnd,
    /// The request line isn't `METHOD SP target SP version`.
    RequestLine,
    /// CONNECT or TRACE.
    Method,
    /// The target isn't in origin-form, or has a byte that is illegal in it.
    Target,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// A field name that isn't a token, space before the colon, a folded line.
    FieldName,
    /// A control byte in a field value.
    FieldValue,
    /// Host missing, repeated or malformed.
    Host,
    /// Content-Length repeated, malformed, or beside Transfer-Encoding.
    ContentLength,
    /// Transfer-Encoding other than exactly `chunked` in HTTP/1.1.
    TransferEncoding,
    /// `Connection` names a field that the framing or routing depends on.
    Connection,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A chunked body that breaks the grammar, or has extensions or trailers.
    Chunk,
    /// Larger than allowed, or too many fields.
    TooLarge,
    /// Not whole within the time allowed.
    Timeout,
    /// As many requests of its address are being answered as may be.
    TooMany,
}

impl HeadRefusal {
    /// The status that the client gets.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Timeout => 408,
            Self::Expectation => 417,
            Self::TooMany => 429,
            Self::TooLarge => 431,
            Self::BareLineEnd
            | Self::RequestLine
            | Self::Target
            | Self::Version
            | Self::FieldName
            | Self::FieldValue
            | Self::Host
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::Connection
            | Self::Chunk => 400,
        }
    }

    /// The metric's label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::BareLineEnd => "bare_line_end",
            Self::RequestLine => "request_line",
            Self::Method => "method",
            Self::Target => "target",
            Self::Version => "version",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::Host => "host",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::Connection => "connection",
            Self::Expectation => "expectation",
            Self::Chunk => "chunk",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::TooMany => "max_requests_per_address",
        }
    }
}
