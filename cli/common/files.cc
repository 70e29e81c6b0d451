#include "cli/common/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace dynamo::cli {
namespace {

std::unexpected<Error> system_error(const std::string& what, const std::string& path) {
    return fail(Code::bad_request, fmt::format("cannot {} {}: {}", what, path, strerror(errno)));
}

/// A descriptor that is closed at the end.
class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { close(); }
    [[nodiscard]] int get() const { return number_; }
    void close() {
        if (number_ >= 0) {
            ::close(number_);
        }
        number_ = -1;
    }

  private:
    int number_;
};

Result<std::string> read_all(int descriptor, const std::string& name, std::size_t most) {
    std::string out;
    std::array<char, 65536> chunk;
    for (;;) {
        const ssize_t count = ::read(descriptor, chunk.data(), chunk.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error("read", name);
        }
        if (count == 0) {
            return out;
        }
        out.append(chunk.data(), static_cast<std::size_t>(count));
        if (out.size() > most) {
            return fail(Code::too_large, fmt::format("{} holds more than {} octets", name, most));
        }
    }
}

bool write_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t count = ::write(descriptor, octets.data(), octets.size());
        if (count < 0 && errno != EINTR) {
            return false;
        }
        octets.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return true;
}

bool looks_like_token(std::string_view text) {
    // A token holds a cluster, a position and a checksum; nothing shorter is one, and a misspelt
    // file name should be called that.
    constexpr std::size_t shortest = 40;
    return text.size() >= shortest && std::ranges::all_of(text, [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '-' || c == '_';
           });
}

bool names_arguments(std::string_view command) {
    for (auto at = command.find('$'); at != std::string_view::npos;
         at = command.find('$', at + 1)) {
        const std::string_view rest = command.substr(at + 1);
        if (!rest.empty() && std::string_view("@*123456789{").find(rest.front()) < 12) {
            return true;
        }
    }
    return false;
}

}  // namespace

Result<std::string> read_stdin(std::size_t most) { return read_all(STDIN_FILENO, "stdin", most); }

Result<std::string> read_file(const std::string& path, std::size_t most) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        return system_error("open", path);
    }
    return read_all(file.get(), path, most);
}

Result<void> write_file(const std::string& path, std::string_view octets) {
    auto file = NewFile::beside(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (const auto written = file->write(octets); !written) {
        return written;
    }
    return file->keep();
}

Result<NewFile> NewFile::beside(const std::string& path) {
    // A device or a pipe would be replaced, not written to.
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        return fail(Code::bad_request, fmt::format("{} is no plain file", path));
    }
    std::string beside = path + ".XXXXXX";
    const int descriptor = ::mkostemp(beside.data(), O_CLOEXEC);
    if (descriptor < 0) {
        return system_error("write beside", path);
    }
    return NewFile(path, std::move(beside), descriptor);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      beside_(std::exchange(other.beside_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

NewFile::~NewFile() {
    if (!beside_.empty()) {
        ::unlink(beside_.c_str());
    }
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Result<void> NewFile::write(std::string_view octets) {
    if (!write_all(descriptor_, octets)) {
        return system_error("write", path_);
    }
    return {};
}

Result<void> NewFile::keep() {
    if (::fsync(descriptor_) != 0 || ::rename(beside_.c_str(), path_.c_str()) != 0) {
        return system_error("write", path_);
    }
    beside_.clear();
    return {};
}

Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return system_error("remove", path);
    }
    return {};
}

Result<ContextSource> read_context(const std::string& file_or_token) {
    struct stat status{};
    if (::stat(file_or_token.c_str(), &status) != 0) {
        if (looks_like_token(file_or_token)) {
            const auto token = context_from_text(file_or_token);
            if (!token) {
                return std::unexpected(token.error());
            }
            return ContextSource{*token, false};
        }
        return fail(Code::bad_request,
                    fmt::format("there is no context file {}; dyn-get -C {} KEY writes one when it "
                                "succeeds",
                                file_or_token, file_or_token));
    }
    constexpr std::size_t most = 1u << 20;
    const auto text = read_file(file_or_token, most);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto token = context_from_text(*text);
    if (!token || token->empty()) {
        return fail(Code::bad_context, fmt::format("{} holds no context", file_or_token));
    }
    return ContextSource{*token, true};
}

Result<void> write_context(const std::string& path, const ContextToken& token) {
    return write_file(path, to_text(token) + "\n");
}

Result<ScratchDirectory> ScratchDirectory::make() {
    std::error_code ignored;
    auto base = std::filesystem::temp_directory_path(ignored);
    std::string name = (base.empty() ? std::filesystem::path("/tmp") : base) / "dynamo-XXXXXX";
    if (!::mkdtemp(name.data())) {
        return system_error("make a directory like", name);
    }
    return ScratchDirectory(name);
}

ScratchDirectory::ScratchDirectory(ScratchDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchDirectory::~ScratchDirectory() {
    if (!path_.empty()) {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
}

Result<std::vector<std::string>> write_values(const std::filesystem::path& directory,
                                              const std::vector<std::string_view>& values) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) {
        return fail(Code::bad_request,
                    fmt::format("cannot make {}: {}", directory.string(), error.message()));
    }
    std::vector<std::string> names;
    for (const std::string_view value : values) {
        names.push_back((directory / std::to_string(names.size() + 1)).string());
        if (const auto written = write_file(names.back(), value); !written) {
            return std::unexpected(written.error());
        }
    }
    return names;
}

Result<std::string> run_command(const std::string& command,
                                const std::vector<std::string>& arguments, CommandInput input) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return system_error("make a pipe for", command);
    }
    const Descriptor from(ends[0]);
    Descriptor to(ends[1]);
    // sh -c 'COMMAND "$@"' COMMAND FILES, as git does it; a command that names its files itself
    // ("$1", "$@") is left alone.
    const std::string script = names_arguments(command) ? command : command + " \"$@\"";
    std::vector<std::string> words = {"sh", "-c", script, command};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) {
        return system_error("start", command);
    }
    if (child == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        ::dup2(to.get(), STDOUT_FILENO);
        if (input == CommandInput::nothing) {
            ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
        }
        ::execvp("sh", pointers.data());
        ::_exit(127);
    }
    to.close();
    constexpr std::size_t most = 1u << 30;
    auto out = read_all(from.get(), "the output of " + command, most);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!out || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return out;
    }
    return fail(Code::bad_request,
                WIFEXITED(status)
                    ? fmt::format("'{}' exited with {}", command, WEXITSTATUS(status))
                    : fmt::format("'{}' was ended by signal {}", command, WTERMSIG(status)));
}

}  // namespace dynamo::cli
