//! Recordings: on, off, and the file.

use std::io;

use axum::body::{Body as Content, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use model::{Accepted, RecordingId, Verb};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use utoipa::ToSchema;

use crate::admit::Caller;
use crate::body::Body;
use crate::command::Api;
use crate::limits::RECORDING_CHUNK_BYTES;
use crate::place::InConference;
use crate::problem::Problem;
use crate::terms::Terms;

/// Whether a conference shall be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "on": true }))]
pub(crate) struct Recording {
    /// True: be recording. False: do not.
    on: bool,
}

/// Start or stop recording
///
/// The answer names the recording. On while it is on, and off while it is off, changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/conferences/{conference}/recording",
    tag = "recordings",
    params(InConference, Terms),
    request_body = Recording,
    responses(
        (status = 202, description = "Accepted; Location is the recording.", body = Accepted),
        Problem,
    ),
)]
pub(crate) async fn set_recording(
    State(api): State<Api>,
    Path(at): Path<InConference>,
    terms: Terms,
    Body(recording): Body<Recording>,
) -> Result<Response, Problem> {
    api.command(&terms, at.conference()?, Verb::Record { on: recording.on }).await
}

/// Download a recording
///
/// One that still runs is given as far as it goes.
#[utoipa::path(
    get,
    path = "/api/v1/recordings/{recording}",
    tag = "recordings",
    params(("recording" = String, Path, description = "Its id.", example = "r0000000000003")),
    responses(
        (status = 200, description = "The file.", content_type = "audio/wav",
            body = inline(Wav)),
        Problem,
    ),
)]
pub(crate) async fn download_recording(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.sees_everything()?;
    // Only an id reaches the file system, never a text from outside (acceptance A2).
    let id: RecordingId = id.parse().map_err(|_| Problem::no_such_recording())?;
    let path = api.switch.recording_path(id).ok_or_else(Problem::no_such_recording)?;
    match snapshot(File::open(&path).await).await {
        Ok((length, content)) => {
            let headers = [
                (CONTENT_TYPE, "audio/wav".to_owned()),
                (CONTENT_LENGTH, length.to_string()),
                (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.wav\"")),
            ];
            Ok((headers, Content::from_stream(content)).into_response())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Problem::no_such_recording()),
        Err(error) => {
            tracing::error!(recording = %id, %error, "a recording cannot be read");
            Err(Problem::machine_failed())
        }
    }
}

/// A WAV file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for a media type in the OpenAPI document")]
pub(crate) struct Wav(Vec<u8>);

/// The file as long as it is at this moment. Its beginning is read before its length is taken: a
/// writer goes on meanwhile, and the header must not promise more than follows.
async fn snapshot(
    file: io::Result<File>,
) -> io::Result<(u64, impl Stream<Item = io::Result<Bytes>>)> {
    let mut file = file?;
    let mut head = Vec::with_capacity(RECORDING_CHUNK_BYTES);
    (&mut file).take(RECORDING_CHUNK_BYTES as u64).read_to_end(&mut head).await?;
    let head_length = head.len() as u64;
    let length = file.metadata().await?.len().max(head_length);
    let rest = stream::try_unfold(file.take(length - head_length), |mut rest| async move {
        let mut chunk = Vec::with_capacity(RECORDING_CHUNK_BYTES);
        (&mut rest).take(RECORDING_CHUNK_BYTES as u64).read_to_end(&mut chunk).await?;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), rest)))
    });
    Ok((length, stream::StreamExt::chain(stream::iter([Ok(Bytes::from(head))]), rest)))
}
