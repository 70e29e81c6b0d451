#include "daemon/shell/stats.h"

#include "daemon/shell/process.h"

namespace dynamo {

namespace {

using Gauges = std::vector<std::pair<std::string, double>>;

void add_count(Gauges& gauges, const std::string& name, std::uint64_t value) {
    gauges.emplace_back(name, static_cast<double>(value));
}

void add_times(Gauges& gauges, const std::string& name, const RecentTimes& times) {
    const auto recent = times.recent();
    add_count(gauges, name + ".p50", recent.at(0.5));
    add_count(gauges, name + ".p99", recent.at(0.99));
    add_count(gauges, name + ".max", recent.max());
}

void add_listener(Gauges& gauges, const std::string& name, const ListenerCounters& counters) {
    add_count(gauges, name + ".messages_in", counters.messages_in);
    add_count(gauges, name + ".bytes_in", counters.octets_in);
    add_count(gauges, name + ".malformed", counters.malformed);
    add_count(gauges, name + ".cut", counters.cut);
    add_count(gauges, name + ".rebinds", counters.rebinds);
}

}  // namespace

void RecentTimes::record(Duration time) {
    present_.record(time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count()));
}

void RecentTimes::turn() { before_ = std::exchange(present_, {}); }

Histogram RecentTimes::recent() const {
    Histogram both = before_;
    both.add(present_);
    return both;
}

Gauges gauges_of(const LoopStats& stats, const Transport& transport) {
    Gauges gauges;
    add_count(gauges, "loop.iterations", stats.iterations);
    add_times(gauges, "loop.iteration", stats.iteration);
    add_count(gauges, "loop.commits", stats.commits);
    add_count(gauges, "loop.commit_failures", stats.commit_failures);
    add_times(gauges, "loop.commit", stats.commit);

    const auto& clients = transport.client_counters();
    add_listener(gauges, "clients", clients);
    add_count(gauges, "clients.connections", transport.client_connections());
    add_count(gauges, "clients.messages_out", clients.messages_out);
    add_count(gauges, "clients.bytes_out", clients.octets_out);
    add_count(gauges, "clients.requests", stats.requests);
    add_count(gauges, "clients.rejected", stats.rejected);

    const auto& links = transport.link_counters();
    add_listener(gauges, "peers", transport.peer_counters());
    add_count(gauges, "peers.messages", stats.peer_messages);
    add_count(gauges, "peers.frames_bad", stats.peer_frames_bad);
    add_count(gauges, "peers.messages_out", links.messages_out);
    add_count(gauges, "peers.bytes_out", links.octets_out);
    add_count(gauges, "peers.dropped", links.dropped);
    add_count(gauges, "peers.losses", links.losses);

    add_count(gauges, "process.resident_bytes", resident_bytes());
    return gauges;
}

}  // namespace dynamo
