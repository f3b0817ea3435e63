// SPDX-License-Identifier: MIT
//
// Whatever a worker's program file begins with, looking whether something can be preloaded into it
// ends, with one line or none.
#include "balancer/dialect/preload/preloadable.hpp"
#include "common/sys/fd/memfd.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

#include <sys/mman.h>
#include <unistd.h>

using namespace usher;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = text_of(data, size);
    if (text.starts_with("#!")) // names another file, which may be any
        return 0;
    const sys::UniqueFd file{::memfd_create("program", MFD_CLOEXEC)};
    require(::write(file.get(), data, size) == static_cast<ssize_t>(size));
    const auto name = "/proc/self/fd/" + std::to_string(file.get());
    const auto obstacle = preload_obstacle(name, "/", true);
    require(is_one_line(obstacle) && (obstacle.empty() || text.starts_with("\x7f"
                                                                           "ELF")));
    return 0;
}
