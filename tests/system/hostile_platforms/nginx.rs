//! nginx as Debian has it, in front of a platform: it ends TLS, and its limits are those of a careful operator.

use std::fs;
use std::path::Path;
use std::process::Command;

use system_tests::{Daemon, until};

use super::front::Authority;

/// Largest body that it takes, in kB.
const BODY_KB_MAX: u32 = 2;

/// A running one.
pub(crate) struct Nginx(Daemon);

impl Nginx {
    /// Starts it in front of the platform at this port; what the box is to trust goes into `CA_FILE`.
    pub(crate) fn start(folder: &Path, port: u16, target: u16, ca_file: &Path) -> Nginx {
        if !ca_file.exists() {
            let authority = Authority::new("nginx");
            authority.write(ca_file);
            let (certificate, key) = authority.issue(false);
            fs::write(folder.join("nginx.crt"), certificate).unwrap();
            fs::write(folder.join("nginx.key"), key).unwrap();
        }
        fs::write(folder.join("nginx.conf"), conf(folder, port, target)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.join("nginx-errors.log")).arg("-p").arg(folder).args(["-c", "nginx.conf"]);
        let mut process = Daemon::spawn(command, &folder.join("nginx.log"));
        until("nginx listens", 20, || {
            process.check();
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Nginx(process)
    }

    /// Its end, as an operator ends it.
    pub(crate) fn stop(self) {
        assert_eq!(self.0.terminate(), Some(0));
    }
}

/// Of itself nginx 1.22 speaks TLS 1.2 at most to what is behind it, which a platform does not.
fn conf(folder: &Path, port: u16, target: u16) -> String {
    let folder = folder.display();
    // As root its workers would be another user, who may not enter the folder of a test.
    let user = if rustix::process::getuid().is_root() { "user root root;" } else { "" };
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp: String = temp.iter().map(|name| format!("{name}_temp_path {folder}/nginx-{name};")).collect();
    format!(
        "daemon off; {user} pid {folder}/nginx.pid; worker_processes 1;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
           access_log off; {temp}\n\
           server {{\n\
             listen 127.0.0.1:{port} ssl;\n\
             ssl_certificate nginx.crt; ssl_certificate_key nginx.key; ssl_protocols TLSv1.3;\n\
             client_header_buffer_size 512; large_client_header_buffers 2 1k;\n\
             client_body_buffer_size 1k; client_max_body_size {BODY_KB_MAX}k;\n\
             location / {{\n\
               proxy_pass https://127.0.0.1:{target}; proxy_http_version 1.1; proxy_ssl_protocols TLSv1.3;\n\
               proxy_connect_timeout 1s; proxy_send_timeout 1s; proxy_read_timeout 1s;\n\
               proxy_buffer_size 1k; proxy_buffers 2 1k; proxy_busy_buffers_size 1k;\n\
             }}\n\
           }}\n\
         }}\n"
    )
}
