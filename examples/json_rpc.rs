//! Speaks JSON-RPC in both of its framings: `Content-Length`, as language servers (LSP) and debuggers (DAP) do,
//! with `pylsp`, and one message on each line, as MCP does, with a small server in Python.
//!
//! `cargo run --example json_rpc`

use std::{io, str};

use bytes::{Buf, BytesMut};
use futures::{SinkExt, TryStreamExt};
use process_io::{Command, ProcessIOWrapper, ProcessIo};
use serde_json::{Value, json};
use tokio_util::codec::{Decoder, Encoder, Framed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    ask_a_language_server().await?;
    call_a_tool().await
}

async fn ask_a_language_server() -> io::Result<()> {
    let get = "`apt-get install python3-pylsp` or `pip install python-lsp-server`";
    let Some(mut server) = Client::start(Command::new("pylsp"), Framing::ContentLength, get)?
    else {
        return Ok(());
    };
    let answer = server
        .call("initialize", json!({ "capabilities": {} }))
        .await?;
    println!("LSP server: {}", answer["serverInfo"]);
    server.notify("initialized", json!({})).await?;

    let uri = "file:///tmp/example.py";
    let text = "def double(number):\n    return 2 * number\n\nprint(double(21))\n";
    let document = json!({ "uri": uri, "languageId": "python", "version": 1, "text": text });
    server
        .notify("textDocument/didOpen", json!({ "textDocument": document }))
        .await?;
    let place =
        json!({ "textDocument": { "uri": uri }, "position": { "line": 3, "character": 8 } });
    let places = server.call("textDocument/definition", place).await?;
    println!("`double` is defined at {}", places[0]["range"]["start"]);

    server.call("shutdown", Value::Null).await?;
    server.notify("exit", Value::Null).await?;
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
    let mut python = Command::new("python3");
    python.args(["-u", "-c", MCP_SERVER]);
    let Some(mut server) = Client::start(python, Framing::Lines, "`apt-get install python3`")?
    else {
        return Ok(());
    };
    let us = json!({ "name": "process-io", "version": env!("CARGO_PKG_VERSION") });
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": us });
    let answer = server.call("initialize", hello).await?;
    println!("MCP server: {}", answer["serverInfo"]);
    server
        .notify("notifications/initialized", json!({}))
        .await?;
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
    /// `None` if the program is not there; `get` says where it is to be had.
    fn start(command: Command, framing: Framing, get: &str) -> io::Result<Option<Self>> {
        match ProcessIo::spawn(command) {
            Ok(child) => Ok(Some(Self {
                frames: child.framed(Json(framing)),
                last_id: 0,
            })),
            Err(error) if error.is_not_found() => {
                println!("Left out: {error}. To get it: {get}.");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn notify(&mut self, method: &str, params: Value) -> io::Result<()> {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.frames.send(message).await
    }

    async fn call(&mut self, method: &str, params: Value) -> io::Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.frames.send(call).await?;
        // If the server dies, the error says how, with the end of its stderr.
        while let Some(mut message) = self.frames.try_next().await? {
            match (message["id"] == id, message.get("method")) {
                (true, None) if message.get("error").is_none() => {
                    return Ok(message["result"].take());
                }
                (true, None) => return Err(io::Error::other(message["error"].to_string())),
                (_, Some(method)) => println!("  meanwhile: {method}"),
                (false, None) => {}
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
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
