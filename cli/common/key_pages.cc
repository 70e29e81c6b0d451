#include "cli/common/key_pages.h"

#include <algorithm>
#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

constexpr unsigned largest_page = 1000;

}  // namespace

KeyPages::KeyPages(KeyQuery query, unsigned rate)
    : query_(std::move(query)), rate_(rate), due_(std::chrono::steady_clock::now()) {}

Result<KeyPage> KeyPages::next(Client& client, std::size_t most) {
    using std::chrono::steady_clock;
    if (rate_ > 0) {
        sleep_until(due_);
    }
    // A slow listing comes in small pages, several a second, instead of in long silences.
    const unsigned paced = rate_ == 0 ? largest_page : std::max(1u, rate_ / 4);
    query_.limit =
        static_cast<unsigned>(std::min({std::size_t{largest_page}, most, std::size_t{paced}}));
    auto page = client.keys(query_);
    if (!page) {
        return page;
    }
    query_.cursor = page->cursor;
    ended_ = page->cursor.empty();
    if (rate_ > 0) {
        const std::chrono::duration<double> cost(static_cast<double>(page->keys.size()) / rate_);
        due_ = std::max(due_, steady_clock::now() - std::chrono::seconds(1)) +
               std::chrono::duration_cast<steady_clock::duration>(cost);
    }
    return page;
}

}  // namespace dynamo::cli
