//! Metrics in the text format of Prometheus and OpenMetrics, read from the counters at the moment
//! of the scrape. Every name begins with `convoke_`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use model::stats::{
    HISTOGRAM_BOUNDS, Histogram, JITTER_US_BOUNDS, MOS_BOUNDS, MediaStats, ROUND_TRIP_US_BOUNDS,
    SignalStats, TICK_US_BOUNDS,
};
use model::{ConferenceView, OneWay, Registration, TrunkRegistration, TrunkState, TrunkView};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::command::Api;
use crate::problem::Problem;
use crate::serve::Seat;
use crate::switch::{Facts, Readiness};
use crate::tally::Limit;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// SIP methods that have a series of their own (RFC 3261 and its extensions). A method is a word
/// that anybody may make up; what is not here counts as `other`.
const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// Metrics
///
/// Counters and gauges as OpenMetrics text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    security(()),
    responses((status = 200, description = "OpenMetrics text.", body = String,
        content_type = "application/openmetrics-text")),
)]
pub(crate) async fn scrape(
    State(api): State<Api>,
    seat: Option<Extension<Seat>>,
) -> Result<Response, Problem> {
    let of_seats = |limit| seat.as_ref().map_or(0, |Extension(seat)| seat.tally().of(limit));
    let reading = Reading {
        limits: Limit::ALL.map(|limit| (limit, api.tally.of(limit) + of_seats(limit))),
        facts: api.switch.facts(),
        ready: api.switch.readiness() == Readiness::Ready,
        signal: api.switch.signal_stats().await,
        media: api.switch.media_stats(),
        conferences: api.feed.views(),
        registrations: api.feed.registrations(),
    };
    let text = reading.text().map_err(|_| Problem::machine_failed())?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

/// All counters at one moment.
#[derive(Debug)]
struct Reading {
    limits: [(Limit, u64); Limit::ALL.len()],
    facts: Facts,
    ready: bool,
    signal: SignalStats,
    media: MediaStats,
    conferences: Vec<Arc<ConferenceView>>,
    registrations: Vec<Registration>,
}

impl Reading {
    fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("convoke");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut out = Out(encoder);
        self.program(&mut out)?;
        self.conferences(&mut out)?;
        self.signalling(&mut out)?;
        self.trunks(&mut out)?;
        self.packets(&mut out)?;
        self.quality(&mut out)?;
        self.mixer(&mut out)
    }
}

impl Reading {
    fn program(&self, out: &mut Out) -> fmt::Result {
        let version = [("version", self.facts.version)];
        out.gauges("build_info", "Always 1; the version is its label", [(version, 1.0)])?;
        let started_s = self.facts.started_ms as f64 / 1_000.0;
        out.gauge(
            "start_time_seconds",
            "When the server started, since the Unix epoch",
            started_s,
        )?;
        out.gauge("ready", "1 while calls are taken", f64::from(u8::from(self.ready)))?;
        out.counters(
            "http_limit_hit",
            "How often a limit of the API was reached, by limit",
            self.limits.map(|(limit, count)| ([("limit", limit.name())], count)),
        )?;
        for gauge in &self.facts.gauges {
            out.gauge(gauge.name, gauge.help, gauge.value)?;
        }
        for counter in &self.facts.counters {
            out.counter(counter.name, counter.help, counter.value)?;
        }
        Ok(())
    }

    fn conferences(&self, out: &mut Out) -> fmt::Result {
        let live = || self.conferences.iter().filter(|view| view.ended_ms.is_none());
        out.gauge("conferences", "Conferences that are live", live().count() as f64)?;
        let mut parties: BTreeMap<[(&str, &str); 2], u32> = BTreeMap::new();
        for party in live().flat_map(|view| &view.parties) {
            // Who is still being called has none.
            let codec = party.codec.map_or("none", model::Codec::name);
            *parties.entry([("state", party.state.name()), ("codec", codec)]).or_default() += 1;
        }
        out.gauges(
            "parties",
            "Parties, by what they do and the codec that the server sends them",
            parties.into_iter().map(|(labels, count)| (labels, f64::from(count))),
        )?;
        let recordings = live().filter(|view| view.recording.is_some()).count();
        out.gauge("recordings_active", "Recordings that run", recordings as f64)
    }

    fn signalling(&self, out: &mut Out) -> fmt::Result {
        let signal = &self.signal;
        let mut requests: BTreeMap<(&str, u16), u64> = BTreeMap::new();
        for ((method, status), count) in &signal.requests {
            let method = METHODS.into_iter().find(|known| known == method).unwrap_or("other");
            *requests.entry((method, *status)).or_default() += count;
        }
        let requests: Vec<_> = requests
            .into_iter()
            .map(|((method, status), count)| (method, status.to_string(), count))
            .collect();
        out.counters(
            "sip_requests",
            "SIP requests answered or sent, by method and final status",
            requests.iter().map(|(method, code, n)| ([("method", *method), ("code", code)], *n)),
        )?;
        out.counter("sip_malformed", "SIP messages that could not be read", signal.malformed)?;
        out.counters(
            "calls",
            "Calls by how they began and ended",
            signal.calls.iter().map(|((direction, result), count)| {
                ([("direction", *direction), ("result", *result)], *count)
            }),
        )?;
        out.gauge("sip_sessions", "SIP sessions alive", signal.sessions as f64)?;
        out.gauge("sip_transactions", "SIP transactions alive", signal.transactions as f64)?;
        let contacts = |one: &Registration| one.contacts.len();
        let phones: usize = self.registrations.iter().map(contacts).sum();
        out.gauge("registered_users", "Users with a phone", self.registrations.len() as f64)?;
        out.gauge("registered_phones", "Phones that have registered", phones as f64)?;
        out.counters(
            "limit_hit",
            "What was refused or dropped because a limit of signalling was reached, by limit",
            signal.limits.iter().map(|(limit, count)| ([("limit", *limit)], *count)),
        )?;
        out.counter(
            "calls_out_new_country",
            "Times that a user had a number called in a country that it had not called before",
            signal.new_countries,
        )?;
        out.counter("emergency_calls", "Calls to emergency numbers", signal.emergency_calls)?;
        out.counters(
            "sip_turned_away",
            "SIP requests turned away before anything was kept of them, by reason",
            signal.turned_away.iter().map(|(reason, count)| ([("reason", *reason)], *count)),
        )?;
        out.counters(
            "commands_refused",
            "Commands refused, by the refusal's code",
            signal.refusals.iter().map(|(code, count)| ([("reason", *code)], *count)),
        )?;
        out.counters(
            "policy_denied",
            "Commands refused because their author has not the right, by action and code",
            signal
                .denials
                .iter()
                .map(|((action, code), count)| ([("action", *action), ("reason", *code)], *count)),
        )
    }

    fn trunks(&self, out: &mut Out) -> fmt::Result {
        let series = |value: fn(&TrunkView) -> u64| {
            let trunks = self.signal.trunks.iter();
            trunks.map(move |trunk| ([("trunk", trunk.name.as_str())], value(trunk)))
        };
        let gauge = |value| series(value).map(|(labels, value)| (labels, value as f64));
        let is_up = |trunk: &TrunkView| u64::from(trunk.state == TrunkState::Up);
        let is_registered =
            |trunk: &TrunkView| u64::from(trunk.registration == TrunkRegistration::Registered);
        out.gauges("trunk_up", "Trunks: 1 for one that answers", gauge(is_up))?;
        out.gauges("trunk_registered", "Trunks: 1 if registered with", gauge(is_registered))?;
        out.gauges("trunk_calls", "Calls with a trunk", gauge(|trunk| trunk.calls))?;
        out.counters("trunk_calls_tried", "Calls to a trunk", series(|trunk| trunk.tried))?;
        out.counters(
            "trunk_calls_failed",
            "Calls that a trunk did not take",
            series(|trunk| trunk.failed),
        )?;
        out.counters(
            "trunk_calls_full",
            "Calls that a trunk's limits left no room for",
            series(|trunk| trunk.full),
        )
    }

    fn packets(&self, out: &mut Out) -> fmt::Result {
        let media = &self.media;
        for (name, help, count) in [
            ("rtp_packets_received", "RTP packets received for a leg", media.packets_in),
            ("rtp_packets_sent", "RTP packets sent", media.packets_out),
            ("rtp_packets_lost", "RTP packets that never came, by sequence", media.packets_lost),
            ("rtp_packets_late", "RTP packets that came after their time", media.packets_late),
            ("rtp_packets_duplicate", "RTP packets that came twice", media.packets_duplicate),
            (
                "rtp_packets_refused",
                "Datagrams that are not RTP, or not from the leg's source",
                media.packets_refused,
            ),
            (
                "srtp_packets_unauthentic",
                "Packets from a leg's source that were not made with its key",
                media.packets_unauthentic,
            ),
            ("rtp_send_errors", "Sends that the kernel refused", media.send_errors),
            (
                "keys_dropped",
                "Keys to be pressed at a leg that found no room, or nobody to hear them",
                media.keys_dropped,
            ),
            (
                "recording_frames_lost",
                "Frames that a recording lost because the disk was too slow",
                media.tap_frames_lost,
            ),
        ] {
            out.counter(name, help, count)?;
        }
        out.gauge("rtp_ports_in_use", "Ports open for RTP", media.ports_open as f64)
    }

    fn quality(&self, out: &mut Out) -> fmt::Result {
        out.counters(
            "rtcp_packets",
            "RTCP datagrams received from legs and sent to them",
            [
                ([("direction", "in")], self.media.rtcp_packets_in),
                ([("direction", "out")], self.media.rtcp_packets_out),
            ],
        )?;
        out.counters(
            "panics",
            "Bugs of ours that ended what they were about: a request, a leg or a conference",
            [
                ([("part", "signalling")], self.signal.panics),
                ([("part", "media")], self.media.panics),
            ],
        )?;
        let found = |way: OneWay| self.signal.one_way.get(&way).copied().unwrap_or_default();
        out.counters(
            "one_way_audio",
            "Times that a leg's audio was found to run one way only",
            OneWay::ALL.map(|way| ([("way", way.name())], found(way))),
        )?;
        let quality = &self.signal.quality;
        out.histograms(
            ("rtp_jitter_ms", "Interarrival jitter of a leg's packets, every 5 s"),
            (&JITTER_US_BOUNDS, 1_000.0),
            [([], &quality.jitter_us)],
        )?;
        out.histograms(
            ("rtp_mos", "Listening quality (MOS-LQ by ITU-T G.107), every 5 s, from and to a leg"),
            (&MOS_BOUNDS, 100.0),
            [([("direction", "in")], &quality.mos_in), ([("direction", "out")], &quality.mos_out)],
        )?;
        out.histograms(
            ("rtp_round_trip_ms", "Time to a leg's far end and back, every 5 s"),
            (&ROUND_TRIP_US_BOUNDS, 1_000.0),
            [([], &quality.round_trip_us)],
        )
    }

    fn mixer(&self, out: &mut Out) -> fmt::Result {
        let media = &self.media;
        let bounds = TICK_US_BOUNDS.iter().map(|bound_us| *bound_us as f64 / 1e6);
        // The encoder adds the counts up.
        let buckets: Vec<(f64, u64)> =
            bounds.chain([f64::INFINITY]).zip(media.tick_us_buckets).collect();
        out.histogram(
            "mixer_tick_seconds",
            "Time that a media thread spent in one tick",
            media.tick_us_sum as f64 / 1e6,
            &buckets,
        )?;
        for (name, help, count) in [
            ("mixer_ticks_late", "Ticks that began more than 5 ms late", media.ticks_late),
            (
                "frames_concealed",
                "Frames made up where a packet was missing",
                media.frames_concealed,
            ),
            ("decodes", "Payloads decoded", media.decodes),
            ("encodes", "Payloads encoded", media.encodes),
            (
                "encodes_shared",
                "Packets whose payload was encoded for somebody else too",
                media.encodes_shared,
            ),
        ] {
            out.counter(name, help, count)?;
        }
        Ok(())
    }
}

/// Writes one family after the other.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, &stop(help), None, MetricType::Gauge)?)
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = ([(&'static str, &'l str); N], f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, &stop(help), None, MetricType::Gauge)?;
        for (labels, value) in series {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// The encoder adds `_total` to the name.
    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let counter = ConstCounter::new(count);
        counter.encode(self.0.encode_descriptor(name, &stop(help), None, MetricType::Counter)?)
    }

    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = ([(&'static str, &'l str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, &stop(help), None, MetricType::Counter)?;
        for (labels, count) in series {
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Histograms of integers in so many parts of the unit that is shown.
    fn histograms<'h, const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        (bounds, parts): (&[u64; HISTOGRAM_BOUNDS], f64),
        series: impl IntoIterator<Item = ([(&'static str, &'static str); N], &'h Histogram)>,
    ) -> fmt::Result {
        let mut family =
            self.0.encode_descriptor(name, &stop(help), None, MetricType::Histogram)?;
        for (labels, values) in series {
            let bounds = bounds.iter().map(|bound| *bound as f64 / parts);
            let buckets: Vec<(f64, u64)> =
                bounds.chain([f64::INFINITY]).zip(values.buckets).collect();
            let count = values.buckets.iter().sum();
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                values.sum as f64 / parts,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, &stop(help), None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum, count, buckets, None)
    }
}

fn stop(help: &str) -> String {
    format!("{help}.")
}
