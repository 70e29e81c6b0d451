// A trace: who was asked what and answered when, for a client that wants to see it.
//
// Shape:   at most a few steps per node of the team; empty unless the client asked for it
// Threads: one; the node's
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "daemon/node/desk.h"

namespace dynamo {

class Trace {
  public:
    /// `on`: whether the client asked for one.
    Trace(const Desk& desk, bool on) : desk_(desk), started_(desk.now.instant), on_(on) {
        add(desk.self(), "coordinates");
    }

    void add(const NodeId& node, std::string_view what) {
        if (!on_) return;
        const auto since = (desk_.now.instant - started_).count();
        steps_.push_back(
            {static_cast<std::uint64_t>(since), Bytes(node.bytes()), std::string(what)});
    }
    [[nodiscard]] std::vector<wire::TraceStep> take() { return std::move(steps_); }

  private:
    const Desk& desk_;
    Instant started_;
    bool on_;
    std::vector<wire::TraceStep> steps_;
};

}  // namespace dynamo
