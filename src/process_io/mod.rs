//! [`ProcessIo`], the handle, and its methods.

mod background;
mod copy;
mod exchange;
mod future;
mod handle;
mod receive;
mod split;
mod stop;
mod stream;
mod take;
mod wrapper;
mod wrapper_io;

pub use background::Background;
pub use exchange::Exchange;
pub use future::Collect;
pub(crate) use future::spawn_elsewhere;
pub use handle::ProcessIo;
pub(crate) use receive::Handle;
pub use receive::Receive;
pub use split::{RecvHalf, SendHalf, UnsplitError};
pub use wrapper::{ProcessIOWrapper, ReadSource};
