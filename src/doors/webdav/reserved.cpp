#include "doors/webdav/reserved.h"

#include "doors/webdav/assets.h"
#include "doors/webdav/folder_archive.h"
#include "wire/http/ranges.h"

namespace isthmus::webdav {
namespace {

Answer get_asset(Exchange& x, const Asset& asset) {
  const http::Field* have = x.request.find("If-None-Match");
  const bool same = have && http::find_etag(have->value, asset.etag, false) != http::EtagMatch::none &&
                    http::find_etag(have->value, asset.etag, false) != http::EtagMatch::bad;
  Answer answer(same ? 304 : 200);
  answer.field("ETag", asset.etag).field("Cache-Control", "no-cache");
  if (same) return answer;
  answer.field("Content-Type", asset.type);
  page_safety(answer, "default-src 'none'");
  if (x.only_head)
    answer.length = asset.bytes.size();
  else
    answer.body = asset.bytes;
  return answer;
}

}  // namespace

void page_safety(Answer& answer, std::string_view policy) {
  answer.field("Content-Security-Policy", policy)
      .field("X-Content-Type-Options", "nosniff")
      .field("Referrer-Policy", "no-referrer")
      .field("Cross-Origin-Resource-Policy", "same-origin");
}

Answer get_reserved(Exchange& x, std::string_view value) {
  if (x.names.empty())
    for (const Asset& asset : assets())
      if (asset.name == value) return get_asset(x, asset);
  if (auto status = get_status(x, value)) return std::move(*status);
  if (value == "zip" || value == "tar") return folder_archive(x, value == "zip");
  return plain_answer(404, "nothing of that name belongs to the page");
}

}  // namespace isthmus::webdav
