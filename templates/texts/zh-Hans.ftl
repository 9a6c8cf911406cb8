# 授权
consent-title = 允许访问吗？
consent-heading = { $app } 请求访问 { $site }
described-at = 此应用未在此处注册。它来自 { $place }。
signed-in-as = 当前登录用户：
consent-list = 如果您允许，该应用可以：
consent-ticks = 勾选它还可以做什么：
consent-agent = 这是一个自动代理：它会自行操作，没有人查看它的每一步。
consent-registered = 该应用是自行注册的，没有人核实过它的名称。
allow = 允许
deny = 拒绝
switch-user = 使用其他账号登录
goes-to = 您将返回 { $place }。

# 重新登录
again-title = 重新登录
again-why = { $app } 要求您重新登录后再继续。
again-button = 重新登录
cancel = 取消

# 登录
login-title = 登录 { $site }
login-why = { $app } 要求您登录。
login-user = 电子邮箱或用户名
login-password = 密码
login-button = 登录
login-elsewhere = 其他登录方式，或忘记密码
login-wrong = 用户名或密码错误。
login-too-many =
    { $count ->
       *[other] 失败次数过多。请在 { $count } 分钟后重试。
    }
login-unavailable = 目前无法登录。请几分钟后重试。

# 退出登录
logout-title = 要退出 { $site } 吗？
logout-why = { $app } 要求您退出登录。
logout-button = 退出登录
logout-stay = 保持登录
logged-out-title = 您已退出登录
logged-out-text = 现在可以关闭此页面。
stayed-title = 您仍处于登录状态
stayed-text = 没有任何更改。现在可以关闭此页面。

# 错误
error-title = 此请求无法继续
error-text = 该应用发送了无法处理的请求。请返回该应用重试；如果再次出现，请告知其运营者。
error-details = 供运营者参考：

# 返回应用
continue-title = 继续
continue-button = 继续前往应用

# 权限的含义
scope-all = 在 { $site } 上执行您有权执行的一切操作
scope-erp-read = 查看您在 { $site } 上有权查看的一切
scope-erp-write = 在您的权限范围内，在 { $site } 上创建、修改和删除记录
scope-openid = 查看您的姓名、电子邮箱、头像和角色
scope-identity = 识别您的身份
scope-profile = 查看您的姓名、头像和个人资料中的其他信息（例如性别、出生日期、语言和时区）
scope-email = 查看您的电子邮箱
scope-phone = 查看您的电话号码
scope-address = 查看您的邮寄地址
scope-roles = 查看您的角色
scope-offline = 在您未登录时保持访问
scope-other = 代表您使用权限“{ $scope }”
documents = { $actions } { $doctype }
all-documents = 所有类型的单据
call = 调用方法 { $method }
read = 读取
create = 创建
change = 修改
delete = 删除

# 列举
list-next = { $first }、{ $second }
list-last = { $first }和{ $second }
phrases = { $first }；{ $second }
# Connected applications
apps-title = 已连接的应用
apps-intro = 以下应用可以代表您使用 { $site }：
apps-none = 没有应用可以代表您使用 { $site }。
apps-since = 自 { $date } 起有访问权限
apps-used = 上次使用：{ $date }
apps-unused = 最近未使用
apps-only-consent = 目前没有访问权限；它可以不经询问再次获得。
apps-end = 终止 { $app } 的访问
apps-hidden =
    { $count ->
       *[other] 还有 { $count } 个未显示。
    }

# 设备
device-title = 连接设备
device-intro = 请输入设备或程序显示的代码。
device-code = 代码
device-button = 继续
device-wrong = 此代码有误或已过期。请再看一下设备。
device-check = 只有在您自己发起了此操作，并且您的设备显示此代码时，才允许：
device-allowed-title = 设备已获得访问权限
device-allowed-text = 请回到设备：它会自动继续。您现在可以关闭此页面。
device-denied-title = 设备没有访问权限
device-denied-text = 没有向设备授予任何权限。您现在可以关闭此页面。
