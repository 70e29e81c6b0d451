// A world of a few nodes, a few clients and one key, in which every state carries its ghost: the
// exact set of writes that went into it. The ghost is the oracle. With past(w) = the ghost of the
// context that w was put with, and all that was in their past, a state is right if and only if
//
//     its siblings             = the maximal writes of its ghost   (nothing lost, nothing comes
//     back) its clock covers dot(w) <=> w is in its ghost                (exact: no write is
//     claimed unseen)
//
// Nodes coordinate, restart, and are put back to an older copy of their disk; messages are merges
// of any state into any other, in any order, as often as you like.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libdynamo/version/siblings.h"

namespace dynamo::test {

using WriteId = std::size_t;
using Ghost = std::set<WriteId>;

/// One thing that happens. Numbers are taken modulo what there is, so any step can be drawn.
struct Step {
    enum class Kind : std::uint8_t {
        read,              ///< client `a` reads nodes `b` and `c`
        put_with_context,  ///< client `a` puts through node `b` what it has seen
        put_observing,     ///< through node `a`, having gathered the clock of node `b`
        put_blind,         ///< through node `a`
        remove,            ///< client `a` deletes through node `b`
        merge,             ///< node `a` takes the state of node `b`
        keep_message,      ///< a message with the state of node `a` leaves
        deliver,           ///< message `a` arrives at node `b`, and stays to arrive again
        restart,           ///< of node `a`: a new run
        copy_disk,         ///< of node `a`
        restore_disk,      ///< node `a` is put back to that copy, in a new run
    };
    Kind kind = Kind::read;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
};

/// The rules under test. Planted mistakes replace one of them.
struct Rules {
    std::function<void(Object&, const Clock&, Sibling)> put = add_version;
    std::function<void(Object&, const Object&)> merge = [](Object& into, const Object& from) {
        (void)dynamo::merge(into, from);
    };
    bool new_run_on_start = true;
    bool context_is_full_clock = false;  ///< a put's reply covers all that its coordinator has seen
};

class World {
  public:
    static constexpr unsigned nodes = 4;
    static constexpr unsigned clients = 3;

    struct State {
        Object object;
        Ghost ghost;
    };

    explicit World(Rules rules = {}) : rules_(std::move(rules)) {}

    /// What is wrong after the step; nothing, when all is well.
    std::optional<std::string> take(const Step& step);
    std::optional<std::string> take_all(const std::vector<Step>& steps);

    [[nodiscard]] const State& node(unsigned number) const { return disk(number).record; }
    [[nodiscard]] const Clock& context(unsigned client) const {
        return contexts_.at(client % clients).clock;
    }
    /// Merges everything everywhere; what one must see then.
    [[nodiscard]] State all() const;

  private:
    struct Seen {
        Clock clock;
        Ghost ghost;
    };
    struct Disk {
        State record;
        std::optional<Actor> own;  ///< the actor that the node last minted with
        std::uint64_t own_run = 0;
    };
    struct Node {
        Disk disk;
        Disk copy;
        std::uint64_t run = 0;
    };
    struct Write {
        Dot dot;
        Ghost past;
    };

    [[nodiscard]] const Disk& disk(unsigned number) const { return nodes_.at(number % nodes).disk; }
    Node& at(unsigned number) { return nodes_.at(number % nodes); }
    Seen& seen_by(unsigned client) { return contexts_.at(client % clients); }

    Dot mint(unsigned number, const Clock& context);
    void notice(Node& node, const Clock& shown);
    Seen put(unsigned number, const Seen& context, bool tombstone);
    void receive(Node& node, const State& state);
    [[nodiscard]] std::optional<std::string> wrong_with(const State& state) const;

    Rules rules_;
    std::array<Node, nodes> nodes_{};
    std::array<Seen, clients> contexts_{};
    std::vector<State> messages_;
    std::vector<Write> writes_;
    std::set<Dot> minted_;
    bool minted_twice_ = false;
    std::uint64_t next_run_ = 1;
    std::uint64_t next_birth_ = 1;
};

}  // namespace dynamo::test
