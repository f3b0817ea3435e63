// SPDX-License-Identifier: MIT
//
// Stands in for libFuzzer in the tests, where there is only g++:
//
//     fuzz_NAME FILE|FOLDER...
//
// Runs the target on each file, and then for a second on mutations of them: the same ones each
// time, so that a test never fails for an accident of the hour.  USHER_FUZZ_SEED has it make
// others, and scripts/fuzz looks for new ones.  An input that ends the target stays in the current
// folder.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/mutator.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

// Only a build with sanitizers has it, and names it so.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

namespace fs = std::filesystem;

std::string current_input;
std::string crash_file;

/// Called where the program is at its end, so it makes plain system calls only.
void keep_input() noexcept
{
    const int fd = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ::write(fd, current_input.data(), current_input.size()) < 0)
        return;
    for (const std::string_view part : {"\nthe input is kept in ", crash_file.c_str(), "\n"})
        if (::write(STDERR_FILENO, part.data(), part.size()) < 0)
            return;
}

void on_abort(int /*signal*/) noexcept
{
    keep_input(); // the signal's default action comes next: abort() sees to that
}

void run(std::string input)
{
    current_input = std::move(input);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current_input.data()),
                           current_input.size());
}

std::vector<std::string> read_corpus(int count, char** names)
{
    std::vector<fs::path> files;
    for (int i = 0; i < count; ++i) {
        if (fs::is_directory(names[i]))
            std::ranges::copy(fs::directory_iterator{names[i]}, std::back_inserter(files));
        else
            files.emplace_back(names[i]);
    }
    std::ranges::sort(files); // or the same seed makes other inputs on another machine

    std::vector<std::string> corpus;
    for (const auto& file : files) {
        std::ifstream in{file, std::ios::binary};
        corpus.emplace_back(std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{});
    }
    return corpus;
}

} // namespace

int main(int argc, char** argv)
{
    using Clock = std::chrono::steady_clock;

    crash_file = "crash-" + fs::path{argv[0]}.filename().string();
    if (__sanitizer_set_death_callback != nullptr)
        __sanitizer_set_death_callback(keep_input);
    std::signal(SIGABRT, on_abort);

    const auto corpus = read_corpus(argc - 1, argv + 1);
    if (corpus.empty()) {
        std::fprintf(stderr, "usage: %s FILE|FOLDER... (with an input in them)\n", argv[0]);
        return 2;
    }
    for (const auto& input : corpus)
        run(input);

    const char* const wish = std::getenv("USHER_FUZZ_SEED");
    const unsigned long long seed = wish != nullptr ? std::strtoull(wish, nullptr, 10) : 1;
    usher::fuzz::Mutator mutator{seed, corpus};
    unsigned long count = 0;
    for (const auto end = Clock::now() + std::chrono::seconds{1}; Clock::now() < end; ++count)
        run(mutator.next());
    std::printf("%zu inputs, %lu mutations of seed %llu\n", corpus.size(), count, seed);
    return 0;
}
