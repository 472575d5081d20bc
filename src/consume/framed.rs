//! Codecs: `framed`.

use tokio_util::codec::Framed;

use crate::process_io::{ProcessIOWrapper, ProcessIo};

/// # Protocols
impl ProcessIo {
    /// Converts the handle into a `Stream` and `Sink` of frames of stdout and stdin, by any `Decoder` and `Encoder` of tokio-util.
    ///
    /// If the child fails, the error contains the [`Error`](crate::Error) with its exit status and the end of
    /// its stderr, inside the [`io::Error`](std::io::Error). If the child exits with success, the stream ends. The handle is
    /// [inside](tokio_util::codec::Framed::into_inner) the [`ProcessIOWrapper`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use futures::{SinkExt, StreamExt};
    /// use process_io::ProcessIo;
    /// use tokio_util::codec::LinesCodec;
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?.framed(LinesCodec::new());
    /// cat.send("hello").await?;
    /// assert_eq!(cat.next().await.unwrap()?, "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn framed<C>(self, codec: C) -> Framed<ProcessIOWrapper, C> {
        Framed::new(
            ProcessIOWrapper::from(self).check_exit(true).in_frames(),
            codec,
        )
    }
}
