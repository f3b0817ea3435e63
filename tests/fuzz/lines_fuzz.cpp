// SPDX-License-Identifier: MIT
//
// Whatever a worker writes, and in whatever pieces it comes, the same lines are made of it, none
// too long, and put together again they are what was written.
#include "balancer/output/line_splitter.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace usher;
using namespace usher::fuzz;

namespace {

using Lines = std::vector<std::pair<std::string, bool>>; ///< and whether it is cut

Lines split(std::string_view text, std::size_t longest, std::size_t step)
{
    Lines lines;
    const auto keep = [&](std::string_view line, bool cut) { lines.emplace_back(line, cut); };
    LineSplitter splitter{longest};
    for (; !text.empty(); text.remove_prefix(std::min(step, text.size())))
        splitter.feed(text.substr(0, step), keep);
    splitter.finish(keep);
    return lines;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2)
        return 0;
    const auto longest = data[0] + 1U;
    const auto text = text_of(data, size).substr(2);
    const auto lines = split(text, longest, data[1] + 1U);
    require(lines == split(text, longest, text.size()));

    std::string whole;
    for (const auto& [line, cut] : lines) {
        require(line.size() <= longest);
        whole += line + (cut ? "" : "\n");
    }
    require(whole == text || (whole.ends_with('\n') && whole.substr(0, whole.size() - 1) == text));
    return 0;
}
