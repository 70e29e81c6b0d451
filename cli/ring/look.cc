#include "cli/ring/look.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/common/files.h"
#include "cli/common/output.h"
#include "cli/ring/difference.h"
#include "cli/ring/print.h"
#include "cli/ring/round_trip.h"
#include "cli/ring/show.h"
#include "cli/ring/survey.h"
#include "cli/ring/svg.h"

namespace dynamo::cli {
namespace {

/// $COLUMNS, else the terminal's, else 80: a pipe prints what the usual terminal shows.
std::size_t columns_wanted() {
    constexpr std::uint64_t most = 10'000;
    if (const char* columns = std::getenv("COLUMNS")) {
        if (const auto number = number_from_text(columns, most); number && *number > 0) {
            return *number;
        }
    }
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

}  // namespace

void RingLook::build(App& app) {
    App& show = app.verb("show", "draw which node owns which partitions");
    show.option({.letter = "",
                 .name = "--partition",
                 .help = "only this one: its positions, its preference list, who stands in",
                 .value = "P"},
                partition_)
        .excludes = {"--node"};
    show.option({.letter = "",
                 .name = "--node",
                 .help = "only the partitions that this one owns, by rank",
                 .value = "NODE",
                 .complete = CommonOptions::live_nodes},
                node_);
    show.option({.letter = "",
                 .name = "--svg",
                 .help = "write a picture of the ring to this file instead",
                 .value = "FILE"},
                svg_)
        .excludes = {"--partition", "--node"};
    show.action([this] { return this->show(); });
    app.verb("members", "print who is a member, with addresses and since which ring")
        .action([this] { return members(); });
    App& rtt = app.verb("rtt", "print how long a hello to each node and back takes");
    rtt.option({.letter = "",
                .name = "--count",
                .help = "hellos to each node; 5 when not given",
                .value = "N"},
               [this](const std::string& text) -> Result<void> {
                   constexpr std::uint64_t most = 100'000;
                   const auto number = number_from_text(text, most);
                   if (!number || *number == 0) {
                       return fail(Code::bad_request, "write a number from 1 to 100000");
                   }
                   count_ = static_cast<unsigned>(*number);
                   return {};
               });
    rtt.action([this] { return round_trips(); });
    app.verb("history", "print the rings that are remembered and what each changed").action([this] {
        return history();
    });
    App& diff = app.verb("diff", "print in what two rings of the history differ; 1 when they do");
    diff.operands({.name = "V1 V2",
                   .help = "their numbers, as the history has them: 2 or v2",
                   .least = 2,
                   .most = 2},
                  versions_);
    diff.action([this] { return this->diff(); });
}

int RingLook::print(const std::string& text) const {
    return write_out(text) ? exits::done : exits::server;
}

int RingLook::print_as(const std::string& json, const std::string& tsv,
                       const std::string& text) const {
    return print(common_.json() ? json + "\n" : common_.format() == Format::tsv ? tsv : text);
}

int RingLook::show() {
    auto admin = common_.open_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    const auto ring = admin->ring();
    return ring ? show_ring(*ring) : common_.reporter().error(ring.error());
}

int RingLook::show_ring(const RingView& ring) {
    const Reporter reporter = common_.reporter();
    if (svg_) {
        const std::string picture = ring_svg(ring);
        if (*svg_ == "-") {
            return print(picture);
        }
        const auto written = write_file(*svg_, picture);
        return written ? exits::done : reporter.error(written.error());
    }
    if (partition_) {
        if (*partition_ >= ring.partitions) {
            return reporter.error(Error{
                Code::bad_request, fmt::format("the ring's partitions are 0 to {}, there is no {}",
                                               ring.partitions - 1, *partition_)});
        }
        return print_as(dumped(partition_json(ring, *partition_)), partition_tsv(ring, *partition_),
                        partition_text(ring, *partition_));
    }
    if (node_) {
        const auto node = node_by_name(ring, *node_);
        return node ? print_as(dumped(node_map_json(ring, *node)), node_tsv(ring, *node),
                               node_text(ring, *node))
                    : reporter.error(node.error());
    }
    return print_as(dumped(map_json(ring)), map_tsv(ring),
                    map_text(ring, columns_wanted(), colour_wanted()));
}

int RingLook::members() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto seen = survey(*admin);
    if (!seen) {
        return reporter.error(seen.error());
    }
    Table table({{"NODE"},
                 {"ID"},
                 {"ZONE"},
                 {"WEIGHT", true},
                 {"CLIENTS"},
                 {"PEERS"},
                 {"STATE"},
                 {"SINCE"}});
    nlohmann::ordered_json object = {{"schema", reporter.schema()}, {"ring", seen->ring.number}};
    auto list = nlohmann::ordered_json::array();
    for (const MemberReport& member : seen->members) {
        const NodeInfo& node = member.node;
        const std::uint64_t since = member_since(seen->ring, node.id);
        const std::string state = member.state(seen->newest_ring);
        table.add({printable(node.name), node.id, node.zone.empty() ? "-" : printable(node.zone),
                   std::to_string(node.weight), node.client_address, node.peer_address, state,
                   since == 0 ? "-" : fmt::format("v{}", since)});
        nlohmann::ordered_json one = node_json(node);
        one["state"] = state;
        one["since_ring"] = since;
        list.push_back(std::move(one));
    }
    object["nodes"] = std::move(list);
    return print_as(dumped(object), table.tsv(), table.text());
}

int RingLook::round_trips() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    std::vector<RoundTrips> measured;
    for (const NodeInfo& node : ring.nodes) {
        measured.push_back(measure_round_trips(with->admin, node, count_));
    }
    const int printed =
        print_as(dumped(round_trips_json(measured)), round_trips_table(measured).tsv(),
                 round_trips_table(measured).text());
    bool all = true;
    for (const RoundTrips& trips : measured) {
        if (trips.error) {
            all = false;
            reporter.error(*trips.error, trips.node.name);
        }
    }
    return printed == exits::done && !all ? exits::no : printed;
}

int RingLook::diff() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    std::vector<RingView> rings;
    for (const Operand& version : versions_) {
        const auto number = number_from_text(
            version.text.substr(version.text.starts_with('v') ? 1 : 0), UINT32_MAX);
        if (!number) {
            return reporter.usage(Error{Code::bad_request, "'" + version.text +
                                                               "' is no ring's number: write 2 or "
                                                               "v2"});
        }
        auto ring = admin->ring_version(*number);
        if (!ring) {
            return reporter.error(ring.error());
        }
        rings.push_back(std::move(*ring));
    }
    const RingDifference difference = difference_of(rings.front(), rings.back());
    const int printed = print(common_.json() ? dumped(difference_json(difference)) + "\n"
                                             : difference_text(difference));
    return printed == exits::done && !difference.none() ? exits::no : printed;
}

int RingLook::history() {
    const Reporter reporter = common_.reporter();
    const auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    return print_as(dumped(history_json(ring)), history_table(ring).tsv(),
                    history_table(ring).text());
}

}  // namespace dynamo::cli
