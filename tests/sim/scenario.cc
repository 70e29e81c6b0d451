#include "tests/sim/scenario.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "libdynamo/wire/state_codec.h"
#include "tests/sim/checkers.h"
#include "tests/sim/ring_changes.h"

namespace dynamo::sim {
namespace {

using Words = std::vector<std::string>;

class Story {
  public:
    Story(Mutant mutant, bool trace) : mode_(trace ? Trace::Mode::print : Trace::Mode::hash) {
        setup_.mutant = mutant;
        setup_.nodes = 5;
        setup_.network.most = Duration(500);
        setup_.network.held_when_cut = 0;
        setup_.commit_most = Duration(200);
    }

    /// What is wrong with a line; empty when it came true.
    std::string line(const Words& words);
    std::string finish();

  private:
    std::string cluster(const Words& words);
    std::string operation(const Words& words, const Words& expected, bool wait);
    std::string options_of(const Words& words, Operation& operation) const;
    std::string concluded(std::uint64_t number, const Words& expected);
    std::string fault(const Words& words);
    std::string network(const Words& words);
    std::string ring(const Words& words, const Words& expected);
    [[nodiscard]] std::optional<wire::ClientRequest> ring_request(const std::string& verb,
                                                                  unsigned via,
                                                                  const Process* subject) const;
    std::string expect(const Words& words);
    std::string shown_as(const WriteSet& set, const Words& expected) const;
    [[nodiscard]] std::optional<unsigned> node(const std::string& name) const;
    [[nodiscard]] Process& process(unsigned index) { return cluster_->process(index); }
    void cut(unsigned from, unsigned to);
    void mend();
    std::string violated() const;

    Trace::Mode mode_;
    Setup setup_;
    std::unique_ptr<World> world_;
    std::unique_ptr<Cluster> cluster_;
    std::unique_ptr<Workload> workload_;
    Bytes key_ = "key";
    std::map<std::string, unsigned> sessions_;
    std::set<std::pair<unsigned, unsigned>> cuts_;
    std::uint64_t operations_ = 0;
};

/// "name=7" when it is `name`.
std::optional<std::string> setting(const std::string& word, const std::string& name) {
    if (!word.starts_with(name + "=")) return std::nullopt;
    return word.substr(name.size() + 1);
}

unsigned number_in(const std::string& text) {
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string Story::cluster(const Words& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (const auto v = setting(word, "nodes"))
            setup_.nodes = number_in(*v);
        else if (const auto n = setting(word, "n"))
            setup_.copies = number_in(*n);
        else if (const auto r = setting(word, "r"))
            setup_.r = number_in(*r);
        else if (const auto w = setting(word, "w"))
            setup_.w = number_in(*w);
        else if (const auto q = setting(word, "q"))
            setup_.partitions = number_in(*q);
        else if (const auto m = setting(word, "members"))
            setup_.first_members = number_in(*m);
        else if (const auto s = setting(word, "seed"))
            setup_.seed = number_in(*s);
        else if (word == "last-write-wins")
            setup_.last_write_wins = true;
        else if (word == "durability=os")
            setup_.durability = Durability::os;
        else if (word != "durability=sync")
            return "the cluster has no setting " + word;
    }
    // Those beyond the members are there to join.
    if (setup_.first_members != 0) setup_.ring_changes = 1;
    world_ = std::make_unique<World>(setup_, mode_);
    cluster_ = std::make_unique<Cluster>(*world_);
    cluster_->form();
    workload_ = std::make_unique<Workload>(*world_, *cluster_);
    return violated();
}

std::string Story::violated() const {
    const auto& first = world_->verdict.first();
    return first ? "violates " + first->rule + ": " + first->text : std::string{};
}

std::optional<unsigned> Story::node(const std::string& name) const {
    if (name.size() < 2) return std::nullopt;
    const unsigned place = number_in(name.substr(1));
    std::vector<unsigned> list;
    if (name[0] == 'n')
        for (unsigned index = 0; index < cluster_->size(); ++index) list.push_back(index);
    if (name[0] == 'o') list = cluster_->owners(key_);
    if (name[0] == 's') list = cluster_->fallbacks(key_);
    if (place < 1 || place > list.size()) return std::nullopt;
    return list[place - 1];
}

std::string Story::options_of(const Words& words, Operation& operation) const {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "via" && i + 1 < words.size()) {
            operation.node = node(words[++i]);
            if (!operation.node) return "no such node: " + words[i];
        } else if (word == "blind") {
            operation.mode = PutMode::blind;
        } else if (word == "context") {
            operation.mode = PutMode::context;
        } else if (word == "observe") {
            operation.mode = PutMode::observe;
        } else if (word == "overwrite") {
            operation.overwrite = true;
        } else if (const auto w = setting(word, "w")) {
            operation.w = number_in(*w);
        } else if (const auto r = setting(word, "r")) {
            operation.r = operation.observe_r = number_in(*r);
        } else {
            return "not understood: " + word;
        }
    }
    return {};
}

std::string Story::operation(const Words& words, const Words& expected, bool wait) {
    Operation operation;
    operation.number = ++operations_;
    operation.key = key_;
    operation.timeout = std::chrono::seconds(2);
    operation.kind = words[0] == "get"       ? Operation::Kind::get
                     : words[0] == "put"     ? Operation::Kind::put
                     : words[0] == "backup"  ? Operation::Kind::backup
                     : words[0] == "restore" ? Operation::Kind::restore
                                             : Operation::Kind::remove;
    const bool puts = operation.kind == Operation::Kind::put;
    const std::size_t fixed = puts ? 3 : 2;
    if (words.size() < fixed) return "too few words";
    operation.session =
        sessions_.emplace(words[1], static_cast<unsigned>(sessions_.size())).first->second;
    const Words rest(words.begin() + static_cast<std::ptrdiff_t>(fixed), words.end());
    if (auto wrong = options_of(rest, operation); !wrong.empty()) return wrong;
    workload_->begin(operation, puts ? words[2] : Bytes{});
    if (!wait) return violated();
    world_->run_for(std::chrono::seconds(5),
                    [&] { return workload_->entry(operation.number).status != Status::sent; });
    return concluded(operation.number, expected);
}

std::string Story::concluded(std::uint64_t number, const Words& expected) {
    if (auto wrong = violated(); !wrong.empty()) return wrong;
    const LogEntry& entry = workload_->entry(number);
    const bool shows = entry.operation.kind == Operation::Kind::get ||
                       entry.operation.kind == Operation::Kind::backup;
    if (shows && entry.status == Status::ok)
        return expected.empty() ? std::string{} : shown_as(entry.shown, expected);
    std::string told = "ok";
    if (entry.status != Status::ok)
        told = entry.told.empty() ? "silence" : entry.told.substr(0, entry.told.find(':'));
    if (expected.empty() || expected[0] == told) return {};
    return "answered " + told + (entry.told.empty() ? "" : " (" + entry.told + ")");
}

std::string Story::shown_as(const WriteSet& set, const Words& expected) const {
    std::set<std::string> shown;
    for (const std::size_t number : set.members()) {
        const Write& write = world_->ledger.writes(key_)[number];
        if (!write.tombstone) shown.insert(write.value);
    }
    std::set<std::string> right(expected.begin(), expected.end());
    right.erase("none");
    return shown == right ? std::string{} : "shows " + world_->ledger.show(key_, set);
}

std::string Story::fault(const Words& words) {
    const auto index = words.size() > 1 ? node(words[1]) : std::nullopt;
    if (!index) return "which node?";
    Process& struck = process(*index);
    if (words[0] == "kill") struck.kill();
    if (words[0] == "power") struck.lose_power(0);
    if (words[0] == "start") struck.start();
    if (words[0] == "pause") struck.pause(true);
    if (words[0] == "resume") struck.pause(false);
    if (words[0] == "fill") struck.fill_disk(Disk::Full::at_commit, false);
    if (words[0] == "room") struck.fill_disk(Disk::Full::no, true);
    if (words[0] == "unreadable") struck.disk().fail_reads(1, Random(1));
    if (words[0] == "readable") struck.disk().fail_reads(0, Random(1));
    if (words[0] == "flush") struck.disk().flush();
    if (words[0] == "damage") struck.disk().damage(key_, Random(1));
    if (words[0] == "break") struck.disk().break_engine();
    if (words[0] == "wipe") {
        struck.kill();
        struck.disk().wipe();
    }
    if (words[0] != "crash") return violated();
    static const std::map<std::string, Boundary> boundaries = {
        {"before-commit", Boundary::before_commit},
        {"before-send", Boundary::before_send},
        {"mid-send", Boundary::mid_send},
        {"after-send", Boundary::after_send},
    };
    const auto at = words.size() == 4 ? boundaries.find(words[3]) : boundaries.end();
    if (at == boundaries.end()) return "crash where?";
    struck.arm(at->second, std::chrono::hours(24));
    return {};
}

void Story::cut(unsigned from, unsigned to) {
    if (cuts_.emplace(from, to).second) cluster_->network().cut(from, to);
}

void Story::mend() {
    for (const auto& [from, to] : cuts_) cluster_->network().mend(from, to);
    cuts_.clear();
}

std::string Story::network(const Words& words) {
    if (words[0] == "mend") {
        mend();
        return {};
    }
    const auto first = words.size() > 1 ? node(words[1]) : std::nullopt;
    if (!first) return "which node?";
    if (words[0] == "isolate") {
        for (unsigned other = 0; other < cluster_->size(); ++other) {
            if (other == *first) continue;
            cut(*first, other);
            cut(other, *first);
        }
        return {};
    }
    const bool one_way = words.size() == 4 && words[2] == ">";
    const auto second = words.size() > 2 ? node(words.back()) : std::nullopt;
    if (!second) return "cut from whom?";
    cut(*first, *second);
    if (!one_way) cut(*second, *first);
    return {};
}

std::optional<wire::ClientRequest> Story::ring_request(const std::string& verb, unsigned via,
                                                       const Process* subject) const {
    const Node* const node = cluster_->process(via).node();
    const RingState* const ring = node ? node->ring() : nullptr;
    if (!ring) return std::nullopt;
    if (verb == "commit") {
        const auto planned = plan(*ring, wire::digest_of(ring->head()));
        if (!planned) return wire::CommitRequest{"p-none"};
        return wire::CommitRequest{wire::plan_id(*planned)};
    }
    static const std::map<std::string, std::uint8_t> kinds = {{"join", 1},
                                                              {"leave", 2},
                                                              {"lost", 4},
                                                              {"discard", wire::stage_discard},
                                                              {"cancel", wire::stage_cancel}};
    wire::StageRequest request;
    request.kind = kinds.at(verb);
    if (!subject) return request;
    const Member& self = subject->options().self;
    request.node_id = Bytes(self.id.bytes());
    request.name = self.name;
    request.weight = self.weight;
    request.client_address = self.client_address;
    request.peer_address = self.peer_address;
    return request;
}

/// join n4, leave n2, lost n2, discard, cancel, commit; each "via n1", else via the first that is
/// up.
std::string Story::ring(const Words& words, const Words& expected) {
    const auto at = std::ranges::find(words, "via");
    std::optional<unsigned> via;
    if (at != words.end() && at + 1 != words.end()) {
        via = node(*(at + 1));
    } else {
        for (unsigned i = 0; i < cluster_->size() && !via; ++i)
            if (process(i).up() && process(i).node()->ring()) via = i;
    }
    if (!via) return "through which node?";
    const bool has_subject = words[0] == "join" || words[0] == "leave" || words[0] == "lost";
    const auto subject = has_subject && words.size() > 1 ? node(words[1]) : std::nullopt;
    if (has_subject && !subject) return "which node?";
    const auto request = ring_request(words[0], *via, subject ? &process(*subject) : nullptr);
    if (!request) return "that node has no ring";
    const auto answer = cluster_->ask_and_wait(*via, *request, std::chrono::seconds(10));
    std::string told = "silence";
    if (answer) {
        const auto* error = std::get_if<wire::ErrorReply>(&*answer);
        told = error ? error->name : "ok";
    }
    if (auto wrong = violated(); !wrong.empty()) return wrong;
    return told == (expected.empty() ? "ok" : expected[0]) ? std::string{} : "answered " + told;
}

std::string Story::expect(const Words& words) {
    Scene scene{*world_, *cluster_, {}, {key_}};
    for (unsigned i = 0; i < cluster_->size(); ++i)
        if (process(i).up()) scene.alive.push_back(i);
    if (words.size() >= 2 && words[1] == "converged") return not_converged(scene);
    if (words.size() >= 2 && words[1] == "rest") return ring_not_at_rest(scene);
    if (words.size() == 3 && words[1] == "moving") {
        const std::size_t moving = cluster_->routes().moving().size();
        return moving == number_in(words[2]) ? std::string{} : std::to_string(moving) + " move";
    }
    const auto index = words.size() > 2 ? node(words[2]) : std::nullopt;
    if (!index) return "which node?";
    if (words[1] == "replica") {
        const auto object = cluster_->stored(*index, key_);
        const Words values(words.begin() + 3, words.end());
        return shown_as(object ? world_->ledger.read(key_, *object).siblings : WriteSet{}, values);
    }
    const auto owner = words.size() == 5 ? node(words[3]) : std::nullopt;
    if (words[1] != "hints" || !owner) return "expect what?";
    const std::size_t held = cluster_->hints(*index, *owner);
    return held == number_in(words[4]) ? std::string{} : "it holds " + std::to_string(held);
}

std::string Story::finish() {
    if (!world_) return "no cluster";
    mend();
    Scene scene{*world_, *cluster_, {}, world_->ledger.keys()};
    for (unsigned i = 0; i < cluster_->size(); ++i) {
        process(i).arm(Boundary::none, Duration(0));
        process(i).pause(false);
        process(i).fill_disk(Disk::Full::no, true);
        process(i).disk().fail_reads(0, Random(1));
        process(i).start();
        scene.alive.push_back(i);
    }
    world_->run_for(std::chrono::seconds(5));
    settle(scene, *workload_);
    if (!world_->verdict.failed()) judge(scene);
    return violated();
}

std::string Story::line(const Words& words) {
    if (words[0] == "cluster") return cluster(words);
    if (!world_)
        if (auto wrong = cluster({}); !wrong.empty()) return wrong;
    if (words[0] == "key" && words.size() == 2) {
        key_ = words[1];
        return {};
    }
    if (words[0] == "put" || words[0] == "get" || words[0] == "del" || words[0] == "backup" ||
        words[0] == "restore") {
        const auto arrow = std::ranges::find(words, "->");
        const bool wait = words.back() != "&";
        const Words asked(words.begin(), wait ? arrow : words.end() - 1);
        const Words expected(arrow == words.end() ? words.end() : arrow + 1, words.end());
        return operation(asked, expected, wait);
    }
    if (words[0] == "run" && words.size() == 2) {
        const bool ms = words[1].ends_with("ms");
        world_->run_for(std::chrono::milliseconds(number_in(words[1]) * (ms ? 1u : 1000u)));
        return violated();
    }
    if (words[0] == "await") {
        world_->run_for(std::chrono::seconds(10), [&] { return workload_->idle(); });
        return violated();
    }
    if (words[0] == "cut" || words[0] == "mend" || words[0] == "isolate") return network(words);
    if (words[0] == "expect") return expect(words);
    for (const char* known : {"join", "leave", "lost", "discard", "cancel", "commit"}) {
        if (words[0] != known) continue;
        const auto arrow = std::ranges::find(words, "->");
        return ring({words.begin(), arrow},
                    {arrow == words.end() ? arrow : arrow + 1, words.end()});
    }
    if (words[0] == "finish") return finish();
    for (const char* known : {"kill", "power", "start", "pause", "resume", "flush", "wipe", "crash",
                              "fill", "room", "unreadable", "readable", "damage", "break"})
        if (words[0] == known) return fault(words);
    return "not understood: " + words[0];
}

}  // namespace

bool run_scenario(const std::string& file, Mutant mutant, bool trace) {
    std::ifstream in(file);
    if (!in) {
        std::printf("%s: cannot be read\n", file.c_str());
        return false;
    }
    Story story(mutant, trace);
    std::string text;
    std::string wrong;
    unsigned number = 0;
    while (wrong.empty() && std::getline(in, text)) {
        ++number;
        std::istringstream words_in(text.substr(0, text.find('#')));
        Words words;
        for (std::string word; words_in >> word;) words.push_back(word);
        if (!words.empty()) wrong = story.line(words);
        if (!wrong.empty())
            std::printf("%s:%u: %s\n    %s\n", file.c_str(), number, text.c_str(), wrong.c_str());
    }
    if (wrong.empty()) {
        wrong = story.finish();
        if (!wrong.empty()) std::printf("%s: at its end: %s\n", file.c_str(), wrong.c_str());
    }
    if (wrong.empty()) std::printf("%s: as told\n", file.c_str());
    return wrong.empty();
}

}  // namespace dynamo::sim
