#include "dynamo/error.h"

#include <algorithm>
#include <array>

namespace dynamo {
namespace {

struct Row {
    Code code;
    std::string_view name;
    int exit;
    bool retryable;
};

constexpr std::array rows{
    Row{Code::ok, "ok", 0, false},
    Row{Code::bad_request, "bad_request", 2, false},
    Row{Code::too_large, "too_large", 2, false},
    Row{Code::bad_context, "bad_context", 2, false},
    Row{Code::unknown_op, "unknown_op", 2, false},
    Row{Code::conflict, "conflict", 3, false},
    Row{Code::exists, "exists", 3, false},
    Row{Code::stale_plan, "stale_plan", 3, false},
    Row{Code::quorum_not_met, "quorum_not_met", 4, true},
    Row{Code::timed_out, "timed_out", 4, true},
    Row{Code::unreachable, "unreachable", 5, true},
    Row{Code::not_joined, "not_joined", 5, true},
    Row{Code::too_few_nodes, "too_few_nodes", 5, true},
    Row{Code::busy, "busy", 5, true},
    Row{Code::wrong_cluster, "wrong_cluster", 6, false},
    Row{Code::holds_data, "holds_data", 6, false},
    Row{Code::object_full, "object_full", 6, false},
    Row{Code::refused, "refused", 6, false},
    Row{Code::storage, "storage", 8, true},
    Row{Code::storage_full, "storage_full", 8, true},
    Row{Code::corrupt, "corrupt", 8, false},
    Row{Code::internal, "internal", 8, false},
    Row{Code::not_permitted, "not_permitted", 9, false},
};

const Row* find(Code code) {
    const auto* row = std::ranges::find(rows, code, &Row::code);
    return row == rows.end() ? nullptr : row;
}

}  // namespace

std::string_view name_of(Code code) {
    const Row* row = find(code);
    return row ? row->name : "unknown";
}

bool is_retryable(Code code) {
    const Row* row = find(code);
    return row && row->retryable;
}

int exit_code_of(Code code) {
    const Row* row = find(code);
    return row ? row->exit : 8;
}

std::string_view name_of(Applied applied) {
    switch (applied) {
        case Applied::no:
            return "no";
        case Applied::maybe:
            return "maybe";
        case Applied::yes:
            return "yes";
    }
    return "maybe";
}

}  // namespace dynamo
