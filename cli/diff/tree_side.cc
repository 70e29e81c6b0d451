#include "cli/diff/tree_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/common/files.h"
#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

constexpr auto between_looks = std::chrono::milliseconds(200);

}  // namespace

Result<bool> is_saved_tree(Source& source) {
    constexpr std::string_view magic = TreeFileReader::magic;
    while (source.here().size() < magic.size() && !source.ended() && !interrupted()) {
        if (const auto filled = source.fill(between_looks); !filled) {
            return std::unexpected(filled.error());
        }
    }
    return source.here().starts_with(magic);
}

bool TreeSide::owns(unsigned partition) const {
    return std::ranges::any_of(ring_.owners[partition], [&](unsigned owner) {
        return ring_.nodes[owner].id == scope_.node->id;
    });
}

Result<void> TreeSide::save(const std::string& path) {
    if (scope_.partition && (*scope_.partition >= ring_.partitions || !owns(*scope_.partition))) {
        return fail(Code::bad_request, fmt::format("{} does not own partition {}",
                                                   scope_.node->name, *scope_.partition));
    }
    auto file = NewFile::beside(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    TreeFileWriter writer;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    auto written = file->write(writer.head(
        {ring_.cluster, ring_.cluster_id, ring_.number, ring_.partitions, scope_.node->name,
         scope_.node->id, std::chrono::duration_cast<std::chrono::milliseconds>(now).count()}));
    TreeReader reader(admin_, scope_.node->client_address, ring_.partitions);
    for (unsigned partition = 0; written && partition < ring_.partitions; ++partition) {
        if (!owns(partition) || (scope_.partition && *scope_.partition != partition)) {
            continue;
        }
        if (interrupted()) {
            return {};
        }
        const auto tree = reader.fetch(partition, scope_.anew);
        if (!tree) {
            progress_.clear();
            return std::unexpected(tree.error());
        }
        ++cost_.trees;
        cost_.leaves += tree->leaves.size();
        written = file->write(writer.partition(*tree));
        progress_.show(cost_.trees, 0, static_cast<double>(partition) / ring_.partitions);
    }
    if (written) {
        written = file->write(writer.tail());
    }
    cost_.octets = reader.octets();
    progress_.clear();
    return written ? file->keep() : written;
}

Result<TreeFileReader::Part> TreeSide::next(Source& source) {
    while (!interrupted() && !(file_.complete() && source.ended())) {
        std::size_t taken = 0;
        auto part = file_.next(source.here(), source.ended(), taken);
        source.take(taken);
        if (!part || !std::holds_alternative<std::monostate>(*part)) {
            return part;
        }
        if (const auto filled = source.fill(between_looks); !filled) {
            return std::unexpected(filled.error());
        }
    }
    return TreeFileReader::Part{};
}

Result<void> TreeSide::open(Source& source) {
    const auto part = next(source);
    if (!part) {
        return std::unexpected(part.error());
    }
    const auto* head = std::get_if<TreeFileHead>(&*part);
    if (head == nullptr) {
        return {};  // interrupted
    }
    head_ = *head;
    if (head_.cluster_id != ring_.cluster_id) {
        return fail(Code::wrong_cluster,
                    fmt::format("the tree was saved of a node of another cluster, {}, whose sums "
                                "have nothing in common with these",
                                head_.cluster));
    }
    if (head_.partitions != ring_.partitions) {
        return fail(Code::bad_request,
                    fmt::format("the tree was saved when the ring had {} partitions; it has {}",
                                head_.partitions, ring_.partitions));
    }
    if (scope_.partition && *scope_.partition >= ring_.partitions) {
        return fail(Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                   *scope_.partition, ring_.partitions));
    }
    if (!scope_.node) {
        const auto its = std::ranges::find(ring_.nodes, head_.node_id, &NodeInfo::id);
        if (its == ring_.nodes.end()) {
            return fail(Code::bad_request, fmt::format("{}, whose tree was saved, is no member any "
                                                       "more; name another node",
                                                       head_.node));
        }
        scope_.node = *its;
    }
    return {};
}

Result<void> TreeSide::compare_one(TreeReader& reader, const PartitionTree& saved,
                                   const Told& told) {
    const auto changes = reader.changes(saved, scope_.anew);
    progress_.clear();
    if (!changes) {
        return std::unexpected(changes.error());
    }
    ++cost_.trees;
    cost_.leaves += changes->leaves;
    cost_.leaves_different += changes->leaves_different;
    cost_.leaves_empty += changes->leaves_empty;
    for (const std::string& key : changes->keys) {
        if (const auto done = told(key, saved.partition); !done) {
            return done;
        }
    }
    return {};
}

Result<void> TreeSide::compare(Source& source, const Told& told) {
    TreeReader reader(admin_, scope_.node->client_address, ring_.partitions);
    for (;;) {
        const auto part = next(source);
        if (!part) {
            progress_.clear();
            return std::unexpected(part.error());
        }
        if (std::holds_alternative<std::monostate>(*part)) {
            break;
        }
        const auto* saved = std::get_if<PartitionTree>(&*part);
        if (saved == nullptr || (scope_.partition && *scope_.partition != saved->partition)) {
            continue;
        }
        if (!owns(saved->partition)) {
            ++cost_.not_owned;
            continue;
        }
        if (const auto compared = compare_one(reader, *saved, told); !compared) {
            return compared;
        }
        cost_.octets = reader.octets();
        progress_.show(cost_.trees, 0, source.share_read());
    }
    progress_.clear();
    if (cost_.trees == 0 && !interrupted()) {
        return fail(Code::bad_request,
                    fmt::format("nothing to compare: {} owns no partition whose tree is in the "
                                "file",
                                scope_.node->name));
    }
    return {};
}

}  // namespace dynamo::cli
