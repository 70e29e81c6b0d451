#include "cli/common/exit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"

namespace dynamo::cli {

std::string advice_for(const Error& error) {
    switch (error.code) {
        case Code::unreachable:
            return "name another node with --seed or $DYN_SEEDS, or start one with dynamod or "
                   "dyn-cluster";
        case Code::not_joined:
            return "it waits to be joined: dyn-ring join ADDRESS, then dyn-ring commit";
        case Code::too_few_nodes:
            return "nothing was written; see dyn-ring status, or ask for fewer with -w or -r";
        case Code::busy:
            return "nothing was written; try again";
        case Code::quorum_not_met:
        case Code::timed_out:
            return error.applied == Applied::no
                       ? "try again, or see dyn-ring status"
                       : "it may have been applied: read the key before writing it again";
        case Code::conflict:
            return "see them with dyn-get --all, settle them with dyn-merge or dyn-put --overwrite";
        case Code::bad_context:
            return "fetch a fresh one with dyn-get -C FILE KEY";
        case Code::wrong_cluster:
            return "check --cluster and --seed";
        case Code::stale_plan:
            return "make a new one with dyn-ring plan";
        case Code::storage_full:
            return "free some room on that node";
        case Code::storage:
        case Code::corrupt:
        case Code::internal:
            return "see that node's log";
        default:
            return "";
    }
}

int Reporter::error(const Error& error, const std::string& about, const std::string& advice) const {
    const int exit = exit_code_of(error.code);
    // Many messages say themselves what to do, after a semicolon.
    const bool complete = error.message.find("; ") != std::string::npos;
    const std::string next = !advice.empty() ? advice : complete ? "" : advice_for(error);
    if (json_) {
        nlohmann::ordered_json object = {{"schema", "dyn.error/1"}, {"tool", program_}};
        object.update(error_fields(error));
        if (!about.empty()) {
            object["about"] = as_utf8(shortened(about));
        }
        if (!next.empty()) {
            object["next"] = next;
        }
        write_error(dumped(object) + "\n");
        return exit;
    }
    std::string line = program_ + ": ";
    line += about.empty() ? "" : printable(shortened(about)) + ": ";
    line += printable(error.message);
    // Most messages of the library name the address themselves.
    const bool named = error.node.empty() || error.message.find(error.node) != std::string::npos;
    line += named ? "" : fmt::format(" (node {})", printable(error.node));
    line += next.empty() ? "" : "; " + next;
    write_error(line + "\n");
    return exit;
}

int Reporter::usage(const Error& error, const std::string& advice) const {
    return this->error(error, {}, advice.empty() ? fmt::format("see {} --help", program_) : advice);
}

void Reporter::remark(const std::string& text) const {
    if (!json_) {
        write_error(fmt::format("{}: {}\n", program_, text));
    }
}

int Reporter::no(const std::string& text) const {
    remark(text);
    return exits::no;
}

std::string Reporter::schema() const {
    std::string name = program_;
    std::ranges::replace(name, '-', '.');
    return name + "/1";
}

}  // namespace dynamo::cli
