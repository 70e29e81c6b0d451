// A page whose write was cut in two, and what the next open makes of it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "daemon/storage/bdb_page_guard.h"
#include "tests/daemon/storage/scratch.h"

namespace dynamo {
namespace {

constexpr std::size_t page_bytes = 8192;

class page_guard : public testing::Test {
  protected:
    void SetUp() override { write_file(table_, page('o') + page('o')); }

    static Bytes page(char octet) { return Bytes(page_bytes, octet); }

    static void write_file(const std::filesystem::path& path, BytesView content) {
        ASSERT_TRUE(replace_file(path, content));
    }
    Bytes content() const {
        const auto read = read_small_file(table_);
        EXPECT_TRUE(read && *read);
        return read && *read ? **read : Bytes();
    }

    // Runs `work` in a child that may make the table no longer than `limit`: a write across it is
    // cut there, as a kill or a full disk cuts it.
    void run_cut(rlim_t limit, const std::function<bool(BdbPageGuard&, int)>& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            (void)::signal(SIGXFSZ, SIG_IGN);
            auto guard = BdbPageGuard::open(scratch_.path(), "boot");
            const FileHandle file(::open(table_.c_str(), O_RDWR));
            if (!guard || !limit_to(limit)) ::_exit(1);
            ::_exit(work(**guard, file.get()) ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    static bool limit_to(rlim_t limit) {
        const rlimit cut{limit, RLIM_INFINITY};
        return ::setrlimit(RLIMIT_FSIZE, &cut) == 0;
    }
    void open_guard(const Bytes& boot) {
        const auto guard = BdbPageGuard::open(scratch_.path(), boot);
        ASSERT_TRUE(guard) << guard.error().message;
    }

    Scratch scratch_;
    std::filesystem::path table_ = scratch_.path() / "table.db";
};

TEST_F(page_guard, makes_a_page_whole_whose_write_was_cut) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        return guard.write(file, "table.db", page('n'), page_bytes) == -1 && errno == EFBIG;
    });
    EXPECT_EQ(content(), page('o') + Bytes(4096, 'n') + Bytes(4096, 'o')) << "it was not cut";
    open_guard("boot");
    EXPECT_EQ(content(), page('o') + page('n'));
}

TEST_F(page_guard, leaves_pages_alone_that_were_written_whole) {
    run_cut(1u << 20, [](BdbPageGuard& guard, int file) {
        return guard.write(file, "table.db", page('n'), 0) == page_bytes;
    });
    EXPECT_EQ(content(), page('n') + page('o'));
    write_file(table_, page('x') + page('y'));
    open_guard("boot");
    EXPECT_EQ(content(), page('x') + page('y'));
}

TEST_F(page_guard, puts_no_page_back_from_a_slot_that_is_damaged) {
    // Unmarked and marked by a flipped bit; marked, with a flipped bit in the page.
    for (const bool cut : {false, true}) {
        SCOPED_TRACE(cut);
        write_file(table_, page('o') + page('o'));
        run_cut(cut ? page_bytes + 4096 : 1u << 20, [cut](BdbPageGuard& guard, int file) {
            return (guard.write(file, "table.db", page('n'), page_bytes) == -1) == cut;
        });
        write_file(table_, page('x') + page('y'));
        const auto slots = scratch_.path() / "pages-in-flight";
        auto octets = *read_small_file(slots);
        ASSERT_TRUE(octets);
        const auto place = octets->find("table.db");
        ASSERT_NE(place, Bytes::npos);
        const std::size_t mark = place - 16;
        (*octets)[cut ? place + 100 : mark] ^= 1;
        const FileHandle file(::open(slots.c_str(), O_WRONLY));
        ASSERT_TRUE(write_all(file.get(), *octets, 0));
        open_guard("boot");
        EXPECT_EQ(content(), page('x') + page('y'));
    }
}

TEST_F(page_guard, a_later_write_of_the_page_voids_what_was_cut) {
    run_cut(page_bytes + 4096, [&](BdbPageGuard& guard, int file) {
        if (guard.write(file, "table.db", page('n'), page_bytes) != -1) return false;
        // Room again: the same page, moved below the limit, stands for a disk that was emptied.
        return guard.write(file, "table.db", page('a'), 0) == page_bytes &&
               guard.write(file, "table.db", page('b'), page_bytes) == -1;
    });
    open_guard("boot");
    EXPECT_EQ(content(), page('a') + page('b'));
    open_guard("boot");
    EXPECT_EQ(content(), page('a') + page('b'));
}

TEST_F(page_guard, forgets_what_was_in_flight_before_the_machine_restarted) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        return guard.write(file, "table.db", page('n'), page_bytes) == -1;
    });
    const Bytes cut = content();
    open_guard("another boot");
    EXPECT_EQ(content(), cut);
    open_guard("boot");
    EXPECT_EQ(content(), cut);
}

TEST_F(page_guard, forgets_files_that_are_gone) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        const bool cut = guard.write(file, "table.db", page('n'), page_bytes) == -1;
        guard.forget("table.db");
        return cut;
    });
    const Bytes cut = content();
    open_guard("boot");
    EXPECT_EQ(content(), cut);
}

TEST_F(page_guard, does_not_mind_a_file_that_it_cannot_find) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        return guard.write(file, "table.db", page('n'), page_bytes) == -1;
    });
    std::filesystem::remove(table_);
    open_guard("boot");
    EXPECT_FALSE(std::filesystem::exists(table_));
}

TEST_F(page_guard, writes_of_which_nothing_was_taken_hold_no_slot) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        for (off_t number = 2; number <= 20; ++number)
            if (guard.write(file, "table.db", page('n'), number * off_t{page_bytes}) != -1)
                return false;
        return guard.write(file, "table.db", page('n'), page_bytes) == -1;
    });
    open_guard("boot");
    EXPECT_EQ(content(), page('o') + page('n'));
}

TEST_F(page_guard, a_page_cut_twice_is_made_whole_even_if_the_second_time_nothing_was_taken) {
    run_cut(page_bytes + 4096, [](BdbPageGuard& guard, int file) {
        return guard.write(file, "table.db", page('n'), page_bytes) == -1 && limit_to(page_bytes) &&
               guard.write(file, "table.db", page('m'), page_bytes) == -1;
    });
    open_guard("boot");
    EXPECT_EQ(content(), page('o') + page('m'));
}

// Found by full disks under load: a page that was written whole while every slot was held by pages
// that had been cut was put back to its old image at the next start, and recovery failed.
TEST_F(page_guard, puts_no_page_back_that_was_written_while_no_slot_was_free) {
    constexpr off_t pages = 12;
    run_cut(page_bytes, [](BdbPageGuard& guard, int file) {
        for (off_t number = 1; number <= pages; ++number) {
            const off_t place = number * off_t{page_bytes};
            if (!limit_to(static_cast<rlim_t>(place) + 4096) ||
                guard.write(file, "table.db", page('n'), place) != -1 || !limit_to(RLIM_INFINITY) ||
                ::ftruncate(file, place + off_t{page_bytes}) != 0)
                return false;
        }
        for (off_t number = 1; number <= pages; ++number)
            if (guard.write(file, "table.db", page('w'), number * off_t{page_bytes}) != page_bytes)
                return false;
        return true;
    });
    open_guard("boot");
    Bytes expected = page('o');
    for (off_t number = 1; number <= pages; ++number) expected += page('w');
    EXPECT_TRUE(content() == expected);
}

}  // namespace
}  // namespace dynamo
