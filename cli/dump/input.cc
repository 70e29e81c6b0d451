#include "cli/dump/input.h"

#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {

Result<DumpInput> DumpInput::open(const std::string& name) {
    auto source = Source::named(name);
    if (!source) {
        return std::unexpected(source.error());
    }
    return DumpInput(std::move(*source));
}

Result<std::optional<DumpRecord>> DumpInput::next(std::chrono::milliseconds wait) {
    for (;;) {
        std::size_t taken = 0;
        auto part = reader_.next(source_.here(), source_.ended(), taken);
        if (!part) {
            return std::unexpected(part.error());
        }
        if (auto* record = std::get_if<DumpRecord>(&*part)) {
            source_.take(taken);
            return std::move(*record);
        }
        if (auto* head = std::get_if<DumpHead>(&*part)) {
            head_ = std::move(*head);
        } else if (auto* tail = std::get_if<DumpTail>(&*part)) {
            tail_ = std::move(*tail);
        } else {
            const bool ended = source_.ended();
            const auto filled = source_.fill(wait);
            if (!filled) {
                return std::unexpected(filled.error());
            }
            if (!*filled && source_.ended() == ended) {
                return std::nullopt;
            }
        }
        source_.take(taken);
    }
}

Result<std::optional<DumpRecord>> DumpInput::next_one() {
    while (!at_end() && !interrupted()) {
        auto record = next(std::chrono::milliseconds(200));
        if (!record || *record) {
            return record;
        }
    }
    return std::nullopt;
}

Result<void> DumpInput::verify(Progress& progress) {
    for (;;) {
        const auto record = next_one();
        if (!record) {
            return std::unexpected(record.error());
        }
        if (!*record) {
            return {};
        }
        progress.show(records(), 0, source_.share_read());
    }
}

}  // namespace dynamo::cli
