#include "cli/common/key_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

namespace dynamo::cli {

nlohmann::ordered_json got_fields(std::string_view key, const Got& got) {
    nlohmann::ordered_json object;
    put_octets(object, "key", key);
    const auto values = got.values();
    if (values.size() == 1) {
        put_octets(object, "value", values.front()->value);
    } else {
        object["value"] = nullptr;
    }
    object["siblings"] = values.size();
    if (values.size() > 1) {
        auto list = nlohmann::ordered_json::array();
        for (const Version* version : values) {
            nlohmann::ordered_json one;
            put_octets(one, "value", version->value);
            one["wall_ms"] = version->wall_ms;
            one["node"] = as_utf8(version->node);
            list.push_back(std::move(one));
        }
        object["values"] = std::move(list);
    }
    object["context"] = to_text(got.context);
    return object;
}

std::vector<TraceStep> named_trace(const CommonOptions& common, std::vector<TraceStep> trace) {
    auto admin = common.open_admin();
    const auto ring = admin ? admin->ring() : std::unexpected(admin.error());
    if (!ring) {
        return trace;
    }
    for (TraceStep& step : trace) {
        const auto node = std::ranges::find_if(ring->nodes, [&step](const NodeInfo& info) {
            return step.node.size() == 8 && info.id.starts_with(step.node);
        });
        step.node = node == ring->nodes.end() ? step.node : node->name;
    }
    return trace;
}

std::string trace_text(const std::vector<TraceStep>& trace) {
    std::string out;
    for (const TraceStep& step : trace) {
        out += fmt::format("{:>9.3f} ms  {}  {}\n", static_cast<double>(step.at.count()) / 1000,
                           printable(step.node), printable(step.what));
    }
    return out;
}

nlohmann::ordered_json trace_json(const std::vector<TraceStep>& trace) {
    auto list = nlohmann::ordered_json::array();
    for (const TraceStep& step : trace) {
        list.push_back({{"at_us", step.at.count()},
                        {"node", as_utf8(step.node)},
                        {"what", as_utf8(step.what)}});
    }
    return list;
}

const Version& newest(const std::vector<const Version*>& values) {
    const auto order = [](const Version* version) {
        return std::tie(version->wall_ms, version->node, version->birth, version->counter);
    };
    return **std::ranges::max_element(values, {}, order);
}

std::vector<std::string_view> octets_of(const std::vector<const Version*>& values) {
    std::vector<std::string_view> octets;
    octets.reserve(values.size());
    for (const Version* version : values) {
        octets.emplace_back(version->value);
    }
    return octets;
}

}  // namespace dynamo::cli
