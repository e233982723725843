//! Redis, of the system's packages.

use std::{fs, process::Command};

use crate::{
    checkout::write_whole,
    failure::{Attempt, Result},
    probe::{self, Answer},
    process::detached,
    progress::Step,
    stack::Stack,
};

use super::Server;

/// The server.
pub(crate) struct Redis;

impl Server for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn variable(&self) -> &'static str {
        "REDIS_URL"
    }

    fn ports(&self, stack: &Stack) -> Vec<u16> {
        vec![stack.ports.redis()]
    }

    fn install(&self, _: &Stack, _: &Step) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, stack: &Stack) -> Result<()> {
        let data = stack.checkout.local("data/redis");
        fs::create_dir_all(&data).attempt(|| format!("{} cannot be made", data.display()))?;
        let settings = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\ndir \"{}\"\ndaemonize no\nsave \"\"\nappendonly yes\nappendfsync everysec\n",
            stack.ports.redis(),
            stack.secrets.redis,
            data.display()
        );
        write_whole(&stack.checkout.local("etc/redis.conf"), &settings)
    }

    fn command(&self, stack: &Stack) -> Result<Command> {
        let mut command = detached("redis-server");
        command.arg(stack.checkout.local("etc/redis.conf"));
        Ok(command)
    }

    fn probe(&self, stack: &Stack) -> Answer<String> {
        probe::redis(stack.ports.redis(), &stack.secrets.redis)
    }

    fn settle(&self, _: &Stack) -> Result<()> {
        Ok(())
    }
}
