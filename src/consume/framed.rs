//! Speaking a protocol: `framed`.

use tokio_util::codec::Framed;

use crate::process_io::{ProcessIOWrapper, ProcessIo};

/// # Protocols
impl ProcessIo {
    /// Makes a `Stream` and `Sink` of frames out of stdout and stdin, by any `Decoder` and `Encoder` of tokio-util.
    ///
    /// When the child dies the error says so: it is the [`Error`](crate::Error) with its exit status and the end of
    /// its stderr, inside the [`io::Error`](std::io::Error). A child that exits with success simply ends the stream.
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
