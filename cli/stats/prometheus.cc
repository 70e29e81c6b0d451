#include "cli/stats/prometheus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

constexpr double microseconds = 1e-6;

/// Where one statistic stands: a family with a type, and a line of it.
struct Place {
    std::string family;
    std::string type;
    std::string help;
    std::string suffix;  ///< of the line's name after the family's: "_count"
    std::string label;   ///< beside the node's: `quantile="0.99"`
    double scale = 1;
};

struct Family {
    std::string type;
    std::string help;
    std::string lines;
};

std::string metric_name(std::string dotted) {
    std::ranges::replace_if(dotted, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return "dynamo_" + dotted;
}

std::string help_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return out;
}

std::string label_escaped(std::string_view text) {
    std::string out;
    for (const char c : help_escaped(as_utf8(text))) {
        out += c == '"' ? "\\\"" : std::string(1, c);
    }
    return out;
}

/// "p99_9" is the quantile 0.999.
std::string quantile_of(const std::string& last) {
    std::string digits = last.substr(1);
    std::erase(digits, '_');
    return digits == "50" ? "0.5" : "0." + digits;
}

/// The unit stands last, before _total: bytes_in is in_bytes.
std::string unit_last(std::string name) {
    for (const auto& [from, to] :
         {std::pair{"bytes_in", "in_bytes"}, std::pair{"bytes_out", "out_bytes"}}) {
        if (name.ends_with(from)) {
            name.replace(name.size() - std::string(from).size(), std::string::npos, to);
        }
    }
    return name;
}

Place place_of(const std::string& name, const std::map<std::string, double>& all) {
    const auto dot = name.rfind('.');
    const std::string base = name.substr(0, dot);
    const std::string last = dot == std::string::npos ? "" : name.substr(dot + 1);
    const std::string summary = metric_name(base) + "_seconds";
    const std::string summary_help = base + " in seconds";
    switch (kind_of(name)) {
        case StatKind::quantile:
            return {summary,
                    "summary",
                    summary_help,
                    "",
                    fmt::format(",quantile=\"{}\"", quantile_of(last)),
                    microseconds};
        case StatKind::peak:
            return {metric_name(base) + "_max_seconds",
                    "gauge",
                    base + " in seconds, the longest",
                    "",
                    "",
                    microseconds};
        case StatKind::gauge:
            return {metric_name(name), "gauge", name + " as it is now", "", "", 1};
        case StatKind::counter:
            break;
    }
    if (last == "count" && all.contains(base + ".p50")) {
        return {summary, "summary", summary_help, "_count", "", 1};
    }
    const std::string counted = last == "count" ? base : unit_last(name);
    return {
        metric_name(counted) + "_total", "counter", name + " since the daemon's start", "", "", 1};
}

}  // namespace

std::string prometheus_of(const Sample& sample,
                          const std::function<bool(const std::string&)>& wanted) {
    std::map<std::string, Family> families;
    Family& up = families["dynamo_up"];
    up.type = "gauge";
    up.help = "whether the node answered dyn-stats";
    for (const NodeStats& node : sample.nodes) {
        const std::string label = fmt::format("node=\"{}\"", label_escaped(node.name));
        up.lines += fmt::format("dynamo_up{{{}}} {}\n", label, node.stats ? 1 : 0);
        if (!node.stats) {
            continue;
        }
        for (const auto& [name, value] : *node.stats) {
            if (!wanted(name)) {
                continue;
            }
            const Place place = place_of(name, *node.stats);
            Family& family = families[place.family];
            family.type = place.type;
            family.help = place.help;
            family.lines += fmt::format("{}{}{{{}{}}} {}\n", place.family, place.suffix, label,
                                        place.label, value * place.scale);
        }
    }
    std::string out;
    for (const auto& [name, family] : families) {
        out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{3}", name, help_escaped(family.help),
                           family.type, family.lines);
    }
    return out;
}

}  // namespace dynamo::cli
