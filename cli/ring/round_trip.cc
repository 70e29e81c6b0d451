#include "cli/ring/round_trip.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/ring/print.h"

namespace dynamo::cli {

double RoundTrips::median() const {
    const std::size_t half = milliseconds.size() / 2;
    return milliseconds.size() % 2 == 1 ? milliseconds[half]
                                        : (milliseconds[half - 1] + milliseconds[half]) / 2;
}

RoundTrips measure_round_trips(Admin& admin, const NodeInfo& node, unsigned count) {
    using Clock = std::chrono::steady_clock;
    RoundTrips trips{node, {}, count, std::nullopt};
    for (unsigned number = 0; number <= count; ++number) {
        const auto begun = Clock::now();
        const auto hello = admin.hello_at(node.client_address);
        const std::chrono::duration<double, std::milli> took = Clock::now() - begun;
        if (!hello) {
            trips.error = hello.error();
            break;
        }
        if (hello->node.id != node.id) {
            trips.error = Error{Code::unreachable,
                                fmt::format("another daemon answers at {}; see dyn-ring status",
                                            node.client_address)};
            break;
        }
        if (number > 0) {
            trips.milliseconds.push_back(took.count());
        }
    }
    std::ranges::sort(trips.milliseconds);
    return trips;
}

Table round_trips_table(const std::vector<RoundTrips>& measured) {
    Table table({{"NODE"},
                 {"ADDRESS"},
                 {"ANSWERS", true},
                 {"MIN_MS", true},
                 {"MEDIAN_MS", true},
                 {"MAX_MS", true}});
    for (const RoundTrips& trips : measured) {
        const bool none = trips.milliseconds.empty();
        const auto cell = [none](double value) {
            return none ? std::string("-") : fmt::format("{:.3f}", value);
        };
        table.add({printable(trips.node.name), trips.node.client_address,
                   fmt::format("{}/{}", trips.milliseconds.size(), trips.asked),
                   cell(none ? 0 : trips.milliseconds.front()), cell(none ? 0 : trips.median()),
                   cell(none ? 0 : trips.milliseconds.back())});
    }
    return table;
}

nlohmann::ordered_json round_trips_json(const std::vector<RoundTrips>& measured) {
    nlohmann::ordered_json object = {{"schema", "dyn.ring/1"}};
    auto list = nlohmann::ordered_json::array();
    for (const RoundTrips& trips : measured) {
        nlohmann::ordered_json one = node_json(trips.node);
        one["asked"] = trips.asked;
        one["answered"] = trips.milliseconds.size();
        if (!trips.milliseconds.empty()) {
            one["min_ms"] = trips.milliseconds.front();
            one["median_ms"] = trips.median();
            one["max_ms"] = trips.milliseconds.back();
        }
        if (trips.error) {
            one["error"] = error_fields(*trips.error);
        }
        list.push_back(std::move(one));
    }
    object["nodes"] = std::move(list);
    return object;
}

}  // namespace dynamo::cli
