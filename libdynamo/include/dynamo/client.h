// The client: get, put and delete, one at a time or many in flight.
//
//     auto client = dynamo::Client::open({.seeds = {"127.0.0.1:7100"}});
//     auto got = client->get("cart:7");
//     auto stored = client->put("cart:7", "milk", {.mode = PutMode::context, .context =
//     got->context});
//
// Connections are made once and kept. With Routing::coordinator (the default) the client keeps a
// copy of the ring, refreshed every 10 s or when a reply shows a newer one, and asks a node of the
// key's preference list directly (paper section 6.4): a write with a context the one that answered
// the read first (section 5), others in turn. With Routing::any, any node, which forwards.
//
// A request is sent again, to another node, only while it is certain that nothing was applied
// (connection refused, `busy`, `not_joined`, `too_few_nodes`), and for reads after silence. An
// unknown put is reported as such (Applied::maybe) and never sent twice, unless
// Options::resend_unknown asks for it: then the second write is a sibling of the first if both
// arrived, and byte-identical siblings read as one.
//
// Threads: one owner at a time; callbacks run inside poll(), run() and the blocking calls
// Errors:  Result<T>; error.h says what each code means for the write
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dynamo/types.h"

namespace dynamo {

enum class Routing : std::uint8_t {
    coordinator,  ///< straight to a node of the key's preference list, from the cached ring
    any,          ///< any node; it forwards writes that it may not coordinate
};

struct ClientOptions {
    std::vector<std::string> seeds = {"127.0.0.1:7100"};  ///< "host", "host:port", "[v6]:port"
    std::string cluster;                                  ///< refuse any other name; empty: any
    std::chrono::milliseconds timeout{2000};              ///< of one request, from submit to answer
    Routing routing = Routing::coordinator;
    bool resend_unknown = false;        ///< resend puts whose outcome is unknown (see above)
    std::string program = "libdynamo";  ///< named to the daemon, for its logs
    /// Milliseconds between refreshes of the cached ring.
    std::chrono::milliseconds ring_refresh{10000};
};

struct GetOptions {
    unsigned r = 0;      ///< 0: the cluster's R
    bool trace = false;  ///< ask the coordinator who was asked and who answered when
};
struct PutOptions {
    PutMode mode = PutMode::observe;
    ContextToken context = {};  ///< with PutMode::context
    unsigned w = 0;             ///< 0: the cluster's W
    unsigned observe_r = 0;     ///< clocks to gather when observing; 0: the cluster's R
    bool overwrite = false;     ///< observing: supersede differing siblings too
    bool if_absent = false;     ///< observing: `exists` when there is a value (best effort)
    bool trace = false;
};
struct DelOptions {
    PutMode mode = PutMode::observe;
    ContextToken context = {};
    unsigned w = 0;
    unsigned observe_r = 0;
    bool trace = false;
};
/// What to list. A listing goes through the partitions in order, and through each by position.
struct KeyQuery {
    std::string prefix;                 ///< only keys that begin so
    std::optional<unsigned> partition;  ///< only this one
    std::string node;                   ///< only what the owner at this client address holds
    std::string cursor;                 ///< of the page before; empty: from the beginning
    unsigned limit = 1000;              ///< keys of a page, at most 1000
};

class Client {
  public:
    /// Checks the options (bad_request names the bad seed) and touches no network yet.
    [[nodiscard]] static Result<Client> open(ClientOptions options);
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    // One at a time. Each blocks until its answer or its deadline.
    [[nodiscard]] Result<Got> get(std::string_view key, const GetOptions& options = {});
    [[nodiscard]] Result<Stored> put(std::string_view key, std::string_view value,
                                     const PutOptions& options = {});
    [[nodiscard]] Result<Stored> del(std::string_view key, const DelOptions& options = {});

    /// All that R nodes (0: the cluster's R) know of the key; state.h says what can be told of it.
    [[nodiscard]] Result<KeyState> state(std::string_view key, unsigned r = 0);
    /// Merges a state into the key; acknowledged when W nodes (0: the cluster's W) have it. Nothing
    /// newer is superseded, nothing that was superseded comes back, and doing it again changes
    /// nothing: so it is sent again whenever its outcome is unknown. bad_request or too_large for
    /// a state that no cluster has given out, object_full as for a put, refused where its versions
    /// contradict those that are stored.
    [[nodiscard]] Result<Merged> merge(std::string_view key, const KeyState& state, unsigned w = 0);

    /// A page of the keys that are stored, deleted ones with `values` 0 among them. Each partition
    /// is read from all its owners that answer, at least N-W+1, so that every write that W of them
    /// took is seen; a key on which they differ is read with R. A page may be empty and yet not the
    /// last. A key that is written meanwhile may or may not be there; one that only a stand-in
    /// holds shows when its hint has come home. bad_request for a cursor that is none.
    [[nodiscard]] Result<KeyPage> keys(const KeyQuery& query);

    // Many in flight. `done` is called once for each, from poll() or run(), and may submit more.
    void get_async(std::string key, const GetOptions& options,
                   std::function<void(Result<Got>)> done);
    void put_async(std::string key, std::string value, const PutOptions& options,
                   std::function<void(Result<Stored>)> done);
    void del_async(std::string key, const DelOptions& options,
                   std::function<void(Result<Stored>)> done);

    void state_async(std::string key, unsigned r, std::function<void(Result<KeyState>)> done);
    void merge_async(std::string key, KeyState state, unsigned w,
                     std::function<void(Result<Merged>)> done);

    /// Requests submitted whose `done` has not been called.
    [[nodiscard]] std::size_t in_flight() const;
    /// Sends what was submitted, waits up to `wait` for something to happen, calls what is done.
    /// A wait of a millisecond or more may last up to one longer, a shorter one is kept exactly.
    void poll(std::chrono::microseconds wait);
    /// poll() until nothing is in flight.
    void run();

  private:
    friend class Admin;
    friend class Comparison;
    friend class TreeReader;
    struct Parts;
    explicit Client(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace dynamo
