// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <utility>

namespace usher {

/// Runs `coroutine`, and keeps `kept` until it has ended.  What it throws is a bug and leaves
/// io_context::run(), so that main() reports it.
template <typename Context, typename Coroutine, typename... Kept>
void spawn(Context&& context, Coroutine&& coroutine, Kept... kept)
{
    boost::asio::co_spawn(std::forward<Context>(context), std::forward<Coroutine>(coroutine),
                          [... kept = std::move(kept)](const std::exception_ptr& error) {
                              if (error)
                                  std::rethrow_exception(error);
                          });
}

} // namespace usher
