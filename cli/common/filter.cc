#include "cli/common/filter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

namespace dynamo::cli {
namespace {

constexpr std::size_t most_output = 1u << 30;
constexpr int cannot_run = 127;

/// While it lives, writing to a reader that has gone is an error and no signal.
class NoPipeSignal {
  public:
    NoPipeSignal() {
        struct sigaction ignore{};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignore, &before_);
    }
    NoPipeSignal(const NoPipeSignal&) = delete;
    NoPipeSignal& operator=(const NoPipeSignal&) = delete;
    ~NoPipeSignal() { ::sigaction(SIGPIPE, &before_, nullptr); }

  private:
    struct sigaction before_{};
};

/// Both ends of a pipe, closed at the end.
class Pipe {
  public:
    Pipe() { usable_ = ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close(0);
        close(1);
    }
    [[nodiscard]] bool usable() const { return usable_; }
    [[nodiscard]] int read_end() const { return ends_[0]; }
    [[nodiscard]] int write_end() const { return ends_[1]; }
    void close(std::size_t end) {
        if (ends_[end] >= 0) {
            ::close(ends_[end]);
        }
        ends_[end] = -1;
    }

  private:
    std::array<int, 2> ends_{-1, -1};
    bool usable_ = false;
};

std::unexpected<Error> system_error(const std::string& what) {
    return fail(Code::bad_request, fmt::format("cannot {}: {}", what, strerror(errno)));
}

[[noreturn]] void become(const std::vector<std::string>& words, const Pipe& in, const Pipe& out) {
    std::signal(SIGPIPE, SIG_DFL);
    ::dup2(in.read_end(), STDIN_FILENO);
    ::dup2(out.write_end(), STDOUT_FILENO);
    std::vector<std::string> copies = words;
    std::vector<char*> pointers;
    for (std::string& word : copies) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    ::execvp(pointers.front(), pointers.data());
    ::_exit(cannot_run);
}

/// Writes what the command takes and reads what it gives, in whatever order it pleases.
Result<std::string> exchange(Pipe& in, Pipe& out, std::string_view input) {
    ::fcntl(in.write_end(), F_SETFL, O_NONBLOCK);
    std::string output;
    std::array<char, 65536> chunk;
    if (input.empty()) {
        in.close(1);
    }
    for (;;) {
        std::array<pollfd, 2> ready = {pollfd{out.read_end(), POLLIN, 0},
                                       pollfd{in.write_end(), POLLOUT, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
            return system_error("wait for the command");
        }
        if (ready[1].revents != 0) {
            const ssize_t count = ::write(in.write_end(), input.data(), input.size());
            input.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
            const bool gone = count < 0 && errno != EAGAIN && errno != EINTR;
            if (gone || input.empty()) {
                in.close(1);
            }
        }
        if (ready[0].revents != 0) {
            const ssize_t count = ::read(out.read_end(), chunk.data(), chunk.size());
            if (count == 0) {
                return output;
            }
            if (count < 0 && errno != EINTR) {
                return system_error("read what the command prints");
            }
            output.append(chunk.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
            if (output.size() > most_output) {
                return fail(Code::too_large, "the command prints more than 1 GiB");
            }
        }
    }
}

}  // namespace

Result<std::string> run_filter(const std::vector<std::string>& words, std::string_view input) {
    Pipe in;
    Pipe out;
    if (!in.usable() || !out.usable()) {
        return system_error("make a pipe for " + words.front());
    }
    const pid_t child = ::fork();
    if (child < 0) {
        return system_error("start " + words.front());
    }
    if (child == 0) {
        become(words, in, out);
    }
    in.close(0);
    out.close(1);
    Result<std::string> output;
    {
        const NoPipeSignal quiet;
        output = exchange(in, out, input);
    }
    in.close(1);
    out.close(0);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!output || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return output;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_run) {
        return fail(Code::bad_request, fmt::format("'{}' cannot be run", words.front()));
    }
    return fail(Code::bad_request,
                WIFEXITED(status)
                    ? fmt::format("'{}' exited with {}", words.front(), WEXITSTATUS(status))
                    : fmt::format("'{}' was ended by signal {}", words.front(), WTERMSIG(status)));
}

}  // namespace dynamo::cli
