// The head of one HTTP request, from bytes to fields, without the system calls around it.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "daemon/http/request_reader.h"

namespace varve {
namespace {

void BM_ReadRequestHead(benchmark::State& state) {
  const std::string head =
      "HEAD /v2/library/debian/blobs/"
      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 HTTP/1.1\r\n"
      "Host: 127.0.0.1:5000\r\nUser-Agent: docker/27.0 go/1.22\r\nAccept: */*\r\n"
      "Accept-Encoding: gzip\r\n\r\n";
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) {
    return state.SkipWithError("no socket pair");
  }
  OpenConnections all;
  Connection connection(all, fds[0]);
  IoBuffer buffer;
  const HttpServerOptions options;
  const std::function<bool()> nobody_waits = [] { return false; };
  for (auto _ : state) {
    connection.unread = head;
    Patience patience(false, nobody_waits);
    RequestReader reader(connection, options);
    reader.BeginTurn(buffer);
    if (reader.ReadHead(patience) != RequestReader::Head::kComplete) {
      state.SkipWithError("the head is not complete");
    }
  }
  close(fds[1]);
}
BENCHMARK(BM_ReadRequestHead);

}  // namespace
}  // namespace varve
