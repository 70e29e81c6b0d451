#include "cli/dump/resume.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/files.h"
#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

constexpr const char* schema = "dyn.load.resume/1";
constexpr std::size_t most_octets = 4096;

}  // namespace

Result<ResumeNote> ResumeNote::open(std::string path) {
    ResumeNote note(std::move(path));
    if (note.path_.empty() || ::access(note.path_.c_str(), F_OK) != 0) {
        return note;
    }
    const auto text = read_file(note.path_, most_octets);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    const bool sound = json.is_object() && json.value("schema", nlohmann::json()) == schema &&
                       json.contains("records") && json["records"].is_number_unsigned() &&
                       json.contains("root") && json["root"].is_string();
    if (!sound) {
        return fail(Code::bad_request,
                    fmt::format("{} is no note of an earlier dyn-load; name another file, or "
                                "remove it",
                                note.path_));
    }
    note.done_ = json["records"].get<std::uint64_t>();
    note.root_ = json["root"].get<std::string>();
    return note;
}

Result<void> ResumeNote::note(std::uint64_t done, const std::string& root, bool now) {
    const auto time = std::chrono::steady_clock::now();
    if (path_.empty() || done <= done_ || (!now && time - written_ < std::chrono::seconds(1))) {
        return {};
    }
    done_ = done;
    root_ = root;
    written_ = time;
    const nlohmann::ordered_json object = {{"schema", schema}, {"records", done}, {"root", root}};
    return write_file(path_, dumped(object) + "\n");
}

Result<void> ResumeNote::forget() const {
    return path_.empty() ? Result<void>() : remove_file(path_);
}

}  // namespace dynamo::cli
