#include "cli/diff/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo::cli {
namespace {

using Kind = KeyDifference::Kind;
constexpr std::string_view signs = "<>+-!T?";
constexpr std::array<std::string_view, 7> kind_names = {
    "only_first", "only_second", "first_newer",       "second_newer",
    "concurrent", "tombstone",   "under_changed_leaf"};

std::string values_of(const std::string& side, const HeldCopy& copy) {
    if (copy.damaged) {
        return fmt::format("    {}: damaged\n", side);
    }
    if (copy.versions.empty()) {
        return fmt::format("    {}: nothing\n", side);
    }
    std::string text;
    for (const Version& version : copy.versions) {
        text += fmt::format(
            "    {}: {}  {}:{}  {}\n", side,
            version.tombstone ? "deleted" : "'" + shortened(printable(version.value)) + "'",
            version.node, version.counter, time_text(version.wall_ms));
    }
    return text;
}

}  // namespace

Result<void> DiffReport::tell(const std::string& first, const std::string& second,
                              const KeyDifference& difference) {
    ++by_partition_[difference.partition][static_cast<std::size_t>(difference.kind)];
    const bool is_new = keys_found_.insert(difference.key).second;
    std::string out;
    if (style_.keys) {
        out = is_new ? common_.key_text(difference.key) + common_.separator() : "";
    } else if (!style_.summary) {
        const Sides sides{first, second};
        out = common_.json() ? json_of(sides, difference) : line_of(sides, difference);
    }
    if (!out.empty() && !write_out(out)) {
        return fail(Code::internal, "nobody reads the output any more");
    }
    return {};
}

std::string DiffReport::text_of(const Sides& sides, Kind kind) const {
    const auto& [first, second] = sides;
    std::string text;
    switch (kind) {
        case Kind::only_first:
            text = fmt::format("only {}", first);
            break;
        case Kind::only_second:
            text = fmt::format("only {}", second);
            break;
        case Kind::first_newer:
            text = fmt::format("{} newer", first);
            break;
        case Kind::second_newer:
            text = fmt::format("{} newer", second);
            break;
        case Kind::concurrent:
            text = "concurrent";
            break;
        case Kind::tombstone:
            text = "deletes differ";
            break;
        case Kind::under_changed_leaf:
            text = "under a leaf that differs";
            break;
    }
    return style_.name_second ? fmt::format("{}, against {}", text, second) : text;
}

std::string DiffReport::line_of(const Sides& sides, const KeyDifference& difference) const {
    const char sign = signs[static_cast<std::size_t>(difference.kind)];
    const std::string key = common_.key_text(difference.key);
    if (common_.format() == Format::tsv) {
        return fmt::format("{}\t{}\t{}\t{}\t{}{}", sign, key, sides.first, sides.second,
                           difference.partition, common_.separator());
    }
    std::string text = fmt::format("{} {}  {}{}", sign, padded(key, 12),
                                   text_of(sides, difference.kind), common_.separator());
    if (style_.values) {
        text +=
            values_of(sides.first, difference.first) + values_of(sides.second, difference.second);
    }
    return text;
}

std::string DiffReport::json_of(const Sides& sides, const KeyDifference& difference) const {
    nlohmann::ordered_json object;
    put_octets(object, "key", difference.key);
    object["partition"] = difference.partition;
    object["kind"] = kind_names[static_cast<std::size_t>(difference.kind)];
    object["first"] = sides.first;
    object["second"] = sides.second;
    if (style_.values) {
        for (const auto& [name, copy] : {std::pair{"held_by_first", &difference.first},
                                         {"held_by_second", &difference.second}}) {
            auto& versions = object[name] = nlohmann::ordered_json::array();
            for (const Version& version : copy->versions) {
                nlohmann::ordered_json one;
                if (version.tombstone) {
                    one["value"] = nullptr;
                } else {
                    put_octets(one, "value", version.value);
                }
                one["tombstone"] = version.tombstone;
                one["dot"] = fmt::format("{}:{}", version.node, version.counter);
                versions.push_back(std::move(one));
            }
        }
    }
    return dumped(object) + "\n";
}

void DiffReport::print_summary() const {
    if (!style_.summary) {
        return;
    }
    Table table({{"PARTITION", true},
                 {"KEYS", true},
                 {"<", true},
                 {">", true},
                 {"+", true},
                 {"-", true},
                 {"!", true},
                 {"T", true},
                 {"?", true}});
    std::string lines;
    for (const auto& [partition, counts] : by_partition_) {
        std::uint64_t keys = 0;
        nlohmann::ordered_json object = {{"partition", partition}};
        std::vector<std::string> row = {std::to_string(partition), ""};
        for (std::size_t kind = 0; kind < counts.size(); ++kind) {
            keys += counts[kind];
            row.push_back(std::to_string(counts[kind]));
            object[std::string(kind_names[kind])] = counts[kind];
        }
        row[1] = std::to_string(keys);
        table.add(std::move(row));
        lines += dumped(object) + "\n";
    }
    if (!by_partition_.empty()) {
        static_cast<void>(write_out(common_.json()                    ? lines
                                    : common_.format() == Format::tsv ? table.tsv()
                                                                      : table.text()));
    }
}

}  // namespace dynamo::cli
