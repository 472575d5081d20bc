//! Speaks JSON-RPC in both of its framings: `Content-Length`, as language servers (LSP) and debuggers (DAP) do,
//! with `pylsp`, and one message on each line, as MCP does, with a small server in Python.
//!
//! `cargo run --example json_rpc`

use std::{io, str};

use bytes::{Buf, BytesMut};
use futures::{SinkExt, TryStreamExt};
use memchr::{memchr, memmem};
use process_io::{Builder, ProcessIOWrapper, ProcessIo};
use serde_json::{Value, json};
use tokio_util::codec::{Decoder, Encoder, Framed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let pylsp = "`apt-get install python3-pylsp` or `pip install python-lsp-server`";
    for (result, get) in [
        (ask_a_language_server().await, pylsp),
        (call_a_tool().await, "`apt-get install python3`"),
    ] {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("Left out, as the server is not here. To get it: {get}.");
            }
            result => result?,
        }
    }
    Ok(())
}

async fn ask_a_language_server() -> io::Result<()> {
    let mut server = Client::start(ProcessIo::command("pylsp"), Framing::ContentLength)?;
    let hello = json!({ "processId": null, "rootUri": null, "capabilities": {} });
    let answer = server.call("initialize", hello).await?;
    println!("LSP server: {}", answer["serverInfo"]);
    server.tell("initialized", json!({})).await?;

    let uri = "file:///tmp/example.py";
    let text = "def double(number):\n    return 2 * number\n\nprint(double(21))\n";
    let document = json!({ "uri": uri, "languageId": "python", "version": 1, "text": text });
    let opened = json!({ "textDocument": document });
    server.tell("textDocument/didOpen", opened).await?;
    let position = json!({ "line": 3, "character": 8 });
    let place = json!({ "textDocument": { "uri": uri }, "position": position });
    let places = server.call("textDocument/definition", place).await?;
    println!("`double` is defined at {}", places[0]["range"]["start"]);

    server.call("shutdown", Value::Null).await?;
    server.tell("exit", Value::Null).await?;
    server.see_it_end().await
}

const MCP_SERVER: &str = r#"
import json, sys
for request in map(json.loads, sys.stdin):
    if request["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "reverser", "version": "1.0"}}
    elif request["method"] == "tools/call":
        text = request["params"]["arguments"]["text"]
        result = {"content": [{"type": "text", "text": text[::-1]}], "isError": False}
    if "id" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
"#;

async fn call_a_tool() -> io::Result<()> {
    let python = ProcessIo::command("python3").args(["-u", "-c", MCP_SERVER]);
    let mut server = Client::start(python, Framing::Lines)?;
    let us = json!({ "name": "process-io", "version": env!("CARGO_PKG_VERSION") });
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": us });
    let answer = server.call("initialize", hello).await?;
    println!("MCP server: {}", answer["serverInfo"]);
    server.tell("notifications/initialized", json!({})).await?;

    let call = json!({ "name": "reverse", "arguments": { "text": "one message\non each line" } });
    let answer = server.call("tools/call", call).await?;
    println!("The tool says {}", answer["content"][0]["text"]);
    server.frames.close().await?; // how MCP says good-bye: the server sees end-of-file
    server.see_it_end().await
}

/// Asks one thing at a time.
struct Client {
    frames: Framed<ProcessIOWrapper, Json>,
    last_id: u64,
}

impl Client {
    fn start(server: Builder, framing: Framing) -> io::Result<Self> {
        let frames = server.spawn()?.framed(Json(framing));
        Ok(Self { frames, last_id: 0 })
    }

    /// Sends what has no answer.
    async fn tell(&mut self, method: &str, params: Value) -> io::Result<()> {
        self.send(json!({ "method": method }), params).await
    }

    async fn call(&mut self, method: &str, params: Value) -> io::Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({ "id": id, "method": method });
        self.send(message, params).await?;
        // If the server dies, the error says how, with the end of its stderr.
        while let Some(mut message) = self.frames.try_next().await? {
            if let Some(method) = message.get("method") {
                println!("  meanwhile: {method}");
            } else if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(io::Error::other(error.to_string())),
                    None => Ok(message["result"].take()),
                };
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    async fn send(&mut self, mut message: Value, params: Value) -> io::Result<()> {
        message["jsonrpc"] = json!("2.0");
        if !params.is_null() {
            message["params"] = params;
        }
        self.frames.send(message).await
    }

    async fn see_it_end(mut self) -> io::Result<()> {
        while self.frames.try_next().await?.is_some() {}
        let status = self.frames.get_mut().get_mut().wait().await?;
        println!("It ended: {status}");
        Ok(())
    }
}

/// How a message is told from the next one.
#[derive(Debug, Clone, Copy)]
enum Framing {
    ContentLength,
    Lines,
}

/// JSON values, in either framing.
#[derive(Debug)]
struct Json(Framing);

impl Encoder<Value> for Json {
    type Error = io::Error;

    fn encode(&mut self, message: Value, buffer: &mut BytesMut) -> io::Result<()> {
        // JSON has no newline unless it is made pretty.
        let body = message.to_string();
        let (head, tail) = match self.0 {
            Framing::ContentLength => (format!("Content-Length: {}\r\n\r\n", body.len()), ""),
            Framing::Lines => (String::new(), "\n"),
        };
        for part in [&head, &body, tail] {
            buffer.extend_from_slice(part.as_bytes());
        }
        Ok(())
    }
}

impl Decoder for Json {
    type Item = Value;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Value>> {
        let (end, separator): (_, &[u8]) = match self.0 {
            Framing::ContentLength => (memmem::find(buffer, b"\r\n\r\n"), b"\r\n\r\n"),
            Framing::Lines => (memchr(b'\n', buffer), b"\n"),
        };
        let Some(end) = end else { return Ok(None) };
        let mut message = buffer[..end].as_ref();
        let mut used = end + separator.len();
        if let Framing::ContentLength = self.0 {
            let rest = &buffer[used..];
            let length = content_length(message)?;
            let Some(body) = rest.get(..length) else {
                return Ok(None);
            };
            message = body;
            used += length;
        }
        let message = serde_json::from_slice(message)?;
        buffer.advance(used);
        Ok(Some(message))
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let head = str::from_utf8(head).map_err(io::Error::other)?;
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"))
        .find_map(|(_, length)| length.trim().parse().ok())
        .ok_or_else(|| io::Error::other(format!("no Content-Length: {head:?}")))
}
