// One connection of the floor server: just enough HTTP/1.1 for a blob's upload (POST, PATCH, PUT),
// HEAD and GET with one range. Used by the thread that owns it, until the client closes it or sends
// something else.
#ifndef VARVE_BENCHMARKS_FLOOR_CONNECTION_H_
#define VARVE_BENCHMARKS_FLOOR_CONNECTION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/floor/blob_folder.h"

namespace varve::floor_server {

class Connection {
 public:
  // Takes the socket; `blobs` must outlive it.
  Connection(int fd, BlobFolder& blobs);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Serve();

 private:
  struct Request {
    std::string method;
    std::string target;
    uint64_t content_length = 0;
    bool has_range = false;
    uint64_t range_first = 0, range_last = 0;
  };

  // False at the end of the stream.
  bool ReadRequest(Request* request);
  // False when the connection is to be closed.
  bool Answer(const Request& request);
  bool Patch(const Request& request);
  bool Get(const Request& request);
  bool SendFile(int file, uint64_t offset, uint64_t length);
  bool Reply(std::string_view status, std::string_view headers);
  bool SendAll(std::string_view bytes, int flags);

  const int fd_;
  BlobFolder& blobs_;
  std::string received_;  // and not yet used
  std::vector<char> buffer_;
};

}  // namespace varve::floor_server

#endif  // VARVE_BENCHMARKS_FLOOR_CONNECTION_H_
