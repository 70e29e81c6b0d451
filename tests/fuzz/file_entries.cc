// What the daemon reads from files: its options, and what it keeps in its data directory.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "daemon/config.h"
#include "daemon/shell/data_directory.h"
#include "daemon/storage/bdb_format.h"
#include "daemon/storage/high_water.h"
#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/shell/temporary_directory.h"
#include "tests/fuzz/entries.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::fuzz {
namespace {

// -------------------------------------------------------------------------------------- the
// options

/// A file without a disk, whose path the daemon's code can open.
class FileInMemory {
  public:
    FileInMemory() : handle_(memfd_create("options", MFD_CLOEXEC)) { DYN_CHECK(handle_.is_open()); }
    [[nodiscard]] std::string path() const {
        return "/proc/self/fd/" + std::to_string(handle_.get());
    }
    void write(BytesView content) const {
        DYN_CHECK(ftruncate(handle_.get(), 0) == 0 && write_all(handle_.get(), content, 0));
    }
    [[nodiscard]] Bytes read() const {
        const auto content = read_small_file(path());
        DYN_CHECK(content && *content);
        return **content;
    }

  private:
    FileHandle handle_;
};

CommandLine read_options(BytesView text) {
    static const FileInMemory file;
    static const std::vector<std::string> arguments = {"--config", file.path()};
    static const Environment environment{[](const std::string&) { return std::nullopt; }, "host"};
    file.write(text);
    return read_command_line(arguments, environment);
}

/// The ring that a daemon with these options would found; none would start again otherwise.
std::string check_founding(const Config& config) {
    constexpr std::size_t most_places = 1024;  // more only take longer
    if (config.founding.partitions * config.founding.copies > most_places) return "";
    const Member self{wire::node(1),
                      "n",
                      config.zone,
                      config.weight,
                      to_string(config.advertise),
                      to_string(config.advertise_peer)};
    const auto ring =
        wire::decode_ring(wire::encode(found(wire::sample_cluster(), config.founding, self, 1)));
    return ring ? "" : "accepted, and founds a ring that nobody reads: " + ring.error().message;
}

std::string run_config(BytesView input) {
    const auto line = read_options(input);
    if (!line.config) return line.err.empty() || line.exit != 2 ? "refused without a reason" : "";
    const std::string shown = to_toml(*line.config);
    const auto again = read_options(shown);
    if (!again.config) return "what it shows is refused: " + again.err + shown;
    if (to_toml(*again.config) != shown) return "what it shows is read as something else";
    return check_founding(*line.config);
}

std::vector<Seed> config_seeds() {
    return {{"node",
             "name = \"n1\"\nzone = 'a'\nweight = 50\nlisten = \"127.0.0.1:7200\"\n"
             "seeds = [\"10.0.0.1\", \"[::1]:7301\"]\ncluster = \"shop\"\n"},
            {"founding",
             "copies = 5\npartitions = 64\nread-quorum = 3\nwrite-quorum = 3\n"
             "conflicts = \"last-write-wins\"\n"},
            {"storage",
             "data-dir = \"/srv/d\\u00e9\"\nengine = \"memory\"\ndurability = \"os\"\n"
             "cache-size = \"1GiB\"\npage-size = 4096\nmin-free = 0\n"},
            {"limits",
             "max-value = \"512KiB\"\nmax-clients = 1\nclient-memory = '32MiB'\n"
             "request-timeout = \"5m\"\nreplica-timeout = \"1500us\"\n"},
            {"open",
             "listen = \"0.0.0.0\"\nallow-insecure = true\nadvertise = \"db1\"\n"
             "advertise-peer = \"db1:9\"\nlog-level = \"debug\"\n"}};
}

// ------------------------------------------------------------------------------ the data directory

/// A directory with one file, which lies in memory.
struct Directory {
    explicit Directory(const std::string& name) {
        std::filesystem::create_symlink(file.path(), directory / name);
    }
    TemporaryDirectory directory;
    FileInMemory file;
};

Bytes sealed(std::string_view title, BytesView content) {
    return fmt::format("{} 1 {:016x}\n{}", title, checksum(content), content);
}

/// The content again under a first line whose checksum fits.
Bytes sealed_anew(std::string_view title, BytesView file) {
    const auto end = file.find('\n');
    return sealed(title, end == BytesView::npos ? file : file.substr(end + 1));
}

/// Read again and again: neither is it damaged one time and sound another, nor ever made anew.
std::string run_identity_once(const Directory& data, BytesView input) {
    data.file.write(input);
    const auto opened = DataDirectory::open(data.directory.path());
    if (!opened) return opened.error().message.empty() ? "refused without a reason" : "";
    if (opened->is_new() || opened->node().is_none()) return "an identity made anew";
    return data.file.read() == input ? "" : "an identity written over";
}

std::string run_identity(BytesView input) {
    static const Directory data("identity");
    if (auto wrong = run_identity_once(data, input); !wrong.empty()) return wrong;
    return run_identity_once(data, sealed_anew("dynamo-identity", input));
}

constexpr std::string_view sound_identity = "node 11111111111111111111111111111111\nring yes\n";

std::string run_ring_file_once(const FileInMemory& file, const DataDirectory& data,
                               BytesView input) {
    file.write(input);
    const auto ring = data.load_ring();
    if (!ring) return ring.error().message.empty() ? "refused without a reason" : "";
    if (!*ring) return "a ring that is there is called absent";
    const Bytes content = wire::encode(**ring);
    return input.ends_with(content) ? "" : "another ring than the file's";
}

std::string run_ring_file(BytesView input) {
    static const Directory home("ring");
    static const DataDirectory data = [] {
        home.directory.write("identity", sealed("dynamo-identity", sound_identity));
        return std::move(*DataDirectory::open(home.directory.path()));
    }();
    if (auto wrong = run_ring_file_once(home.file, data, input); !wrong.empty()) return wrong;
    return run_ring_file_once(home.file, data, sealed_anew("dynamo-ring", input));
}

std::vector<Seed> identity_seeds() {
    return {{"member", sealed("dynamo-identity", sound_identity)},
            {"new", sealed("dynamo-identity", "node 22222222222222222222222222222222\nring no\n")}};
}

std::vector<Seed> ring_file_seeds() {
    return {{"ring", sealed("dynamo-ring", wire::encode(wire::sample_ring()))}};
}

// ---------------------------------------------------------------------------- beside the tables

constexpr std::size_t slot_octets = 512;
constexpr std::size_t summed_octets = 72;  // of a slot; its checksum follows
constexpr std::string_view boot = "b0071d00-0000-4000-8000-000000000000";

Bytes with_slot_sums(BytesView file) {
    Bytes out(file);
    for (std::size_t at = 0; at + summed_octets + 8 <= out.size(); at += slot_octets) {
        const std::uint64_t sum = checksum(BytesView(out).substr(at, summed_octets));
        out.replace(at + summed_octets, sizeof sum, reinterpret_cast<const char*>(&sum),
                    sizeof sum);
    }
    return out;
}

/// A mark promises what one of its slots says, and never more.
std::string run_mark_once(const FileInMemory& file, const Bytes& content) {
    file.write(content);
    const auto mark = HighWater::open(file.path(), Bytes(boot));
    if (!mark)
        return mark.error().code == Code::corrupt && !content.empty() ? "" : "not called corrupt";
    const std::uint64_t reached = (*mark)->must_reach();
    if (reached == 0) return "";
    const Bytes number(reinterpret_cast<const char*>(&reached), sizeof reached);
    return content.find(number) == Bytes::npos ? "a promise that nobody made" : "";
}

std::string run_mark(BytesView input) {
    static const FileInMemory file;
    if (auto wrong = run_mark_once(file, Bytes(input)); !wrong.empty()) return wrong;
    return run_mark_once(file, with_slot_sums(input));
}

std::vector<Seed> mark_seeds() {
    const FileInMemory file;
    const auto mark = HighWater::open(file.path(), Bytes(boot));
    DYN_CHECK(mark && (*mark)->begin(7) && (*mark)->note(9, Durability::os));
    return {{"two_slots", file.read()}, {"one_slot", file.read().substr(0, 80)}};
}

std::string run_format(BytesView input) {
    static const Directory tables("format");
    tables.file.write(input);
    const auto format = look_at_format(tables.directory.path());
    if (!format) return format.error().message.empty() ? "refused without a reason" : "";
    if (*format != BdbFormat::ready) return "a format file that is not there";
    return input.starts_with("dynamo storage bdb ") ? "" : "somebody else's directory";
}

std::vector<Seed> format_seeds() {
    return {{"first", "dynamo storage bdb 1\n"}, {"later", "dynamo storage bdb 2\n"}};
}

}  // namespace

const std::vector<Entry>& file_entries() {
    static const std::vector<Entry> all = {
        {"config", config_seeds, run_config},          {"identity", identity_seeds, run_identity},
        {"ring_file", ring_file_seeds, run_ring_file}, {"mark", mark_seeds, run_mark},
        {"format", format_seeds, run_format},
    };
    return all;
}

}  // namespace dynamo::fuzz
