// SPDX-License-Identifier: MIT
//
// Whatever a datagram to the notification socket says, its status is fit for a line of the log, and
// a line more changes only what it names.
#include "balancer/dialect/notify/notification.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <string_view>

using namespace usher;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text{text_of(data, size)};
    auto notification = parse_notification(text);
    if (notification.status) {
        require(notification.status->size() <= 200 + std::string_view{"..."}.size());
        require(std::ranges::none_of(*notification.status, [](char c) {
            return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
        }));
    }
    notification.ready = true;
    require(parse_notification(text + "\nREADY=1\nX_OWN=1") == notification);
    return 0;
}
